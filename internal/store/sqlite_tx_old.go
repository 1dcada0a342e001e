package store

import (
	"time"

	"signalbox/internal/push"
)

type oldStmts struct {
	push, idem, outbox *stmt
}

func newOldStmts(p *preparer) oldStmts {
	return oldStmts{
		push: p.prepare("DELETE FROM push WHERE id = ? AND place = 4"),
		idem: p.prepare("DELETE FROM idem WHERE push IN (SELECT push FROM idem WHERE push < ? ORDER BY push LIMIT ?)"),
		// The oldest rows are looked at and no others, so that it costs nothing when there is nothing to do.
		outbox: p.prepare("DELETE FROM outbox WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM outbox ORDER BY seq LIMIT ?2) WHERE at < ?1)"),
	}
}

// deletePush deletes a push that is final.
func (t *tx) deletePush(id push.ID) error { return t.old.push.run(int64(id)) }

// deleteKeys deletes up to limit idempotency keys that are older than cutoff.
func (t *tx) deleteKeys(cutoff time.Time, limit int) (int64, error) {
	return t.old.idem.exec(int64(idAt(cutoff)), int64(limit))
}

// deleteEvents deletes up to limit events that are older than cutoff.
func (t *tx) deleteEvents(cutoff time.Time, limit int) (int64, error) {
	return t.old.outbox.exec(cutoff.UnixMicro(), int64(limit))
}
