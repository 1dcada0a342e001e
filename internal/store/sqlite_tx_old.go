package store

import "signalbox/internal/push"

type oldStmts struct {
	push, idem, outbox *stmt
}

func newOldStmts(p *preparer) oldStmts {
	return oldStmts{
		push:   p.prepare("DELETE FROM push WHERE id = ? AND place = 4"),
		idem:   p.prepare("DELETE FROM idem WHERE push IN (SELECT push FROM idem WHERE push <= ? ORDER BY push LIMIT ?)"),
		outbox: p.prepare("DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE seq <= ? ORDER BY seq LIMIT ?)"),
	}
}

// deletePush deletes a push that is final.
func (t *tx) deletePush(id push.ID) error { return t.old.push.run(int64(id)) }

// deleteKeys deletes up to limit idempotency keys up to that of the push last.
func (t *tx) deleteKeys(last int64, limit int) (int64, error) {
	return t.old.idem.exec(last, int64(limit))
}

// deleteEvents deletes up to limit events up to last.
func (t *tx) deleteEvents(last int64, limit int) (int64, error) {
	return t.old.outbox.exec(last, int64(limit))
}
