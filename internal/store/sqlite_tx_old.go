package store

import (
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

type oldStmts struct {
	push, idem, outbox, gone, fanout, refused *direct.Stmt
}

func newOldStmts(p *preparer) oldStmts {
	return oldStmts{
		push:   p.prepare("DELETE FROM push WHERE id = ? AND place = 4"),
		idem:   p.prepare("DELETE FROM idem WHERE push IN (SELECT push FROM idem WHERE push <= ? ORDER BY push LIMIT ?)"),
		outbox: p.prepare("DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE seq <= ? ORDER BY seq LIMIT ?)"),
		gone:   p.prepare("DELETE FROM gone WHERE seq < coalesce((SELECT min(seq) FROM outbox), 9223372036854775807)"),
		fanout: p.prepare("DELETE FROM fanout WHERE id IN (SELECT id FROM fanout f WHERE id <= ? AND NOT EXISTS (SELECT 1 FROM push WHERE fanout = f.id)" +
			" AND NOT EXISTS (SELECT 1 FROM refused WHERE fanout = f.id) AND NOT EXISTS (SELECT 1 FROM idem WHERE push = f.id) ORDER BY id LIMIT ?)"),
		refused: p.prepare("DELETE FROM refused WHERE id IN (SELECT id FROM refused WHERE id <= ? ORDER BY id LIMIT ?)"),
	}
}

// deletePushes deletes those pushes that are final.
func (t *tx) deletePushes(ids []push.ID) error {
	for _, id := range ids {
		if err := t.old.push.Run(int64(id)); err != nil {
			return err
		}
	}
	return nil
}

// deleteKeys deletes up to limit idempotency keys up to that of the push last.
func (t *tx) deleteKeys(last int64, limit int) (int64, error) {
	return t.old.idem.Exec(last, int64(limit))
}

// deleteArchived deletes up to limit archived messages up to last.
func (t *tx) deleteArchived(last int64, limit int) (int64, error) {
	return t.account.DeleteArchived(last, limit)
}

// deleteEvents deletes up to limit events up to last, and with the last of them the endpoints that no event names any more.
func (t *tx) deleteEvents(last int64, limit int) (int64, error) {
	n, err := t.old.outbox.Exec(last, int64(limit))
	if err != nil || n == int64(limit) {
		return n, err
	}
	return n, t.old.gone.Run()
}

// deleteFanouts deletes up to limit fan-outs up to last that have no targets any more, and no key to be answered again.
func (t *tx) deleteFanouts(last int64, limit int) (int64, error) {
	return t.old.fanout.Exec(last, int64(limit))
}

// deleteRefusals deletes up to limit refused targets up to last.
func (t *tx) deleteRefusals(last int64, limit int) (int64, error) {
	return t.old.refused.Exec(last, int64(limit))
}
