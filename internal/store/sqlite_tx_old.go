package store

import (
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

type oldStmts struct {
	push, idem, outbox *direct.Stmt
}

func newOldStmts(p *preparer) oldStmts {
	return oldStmts{
		push:   p.prepare("DELETE FROM push WHERE id = ? AND place = 4"),
		idem:   p.prepare("DELETE FROM idem WHERE push IN (SELECT push FROM idem WHERE push <= ? ORDER BY push LIMIT ?)"),
		outbox: p.prepare("DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE seq <= ? ORDER BY seq LIMIT ?)"),
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

// deleteEvents deletes up to limit events up to last.
func (t *tx) deleteEvents(last int64, limit int) (int64, error) {
	return t.old.outbox.Exec(last, int64(limit))
}
