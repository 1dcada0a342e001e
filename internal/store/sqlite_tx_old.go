package store

import (
	"database/sql/driver"
	"time"

	"signalbox/internal/campaign"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

type oldStmts struct {
	lastEvent, missed, deletedEvent, once *direct.Stmt

	row                                              [1]driver.Value
	push, idem, outbox, gone, fanout, refused, batch *direct.Stmt
}

func newOldStmts(p *direct.Preparer) oldStmts {
	return oldStmts{
		push:   p.Prepare("DELETE FROM push WHERE id = ? AND place = 4"),
		idem:   p.Prepare("DELETE FROM idem WHERE push IN (SELECT push FROM idem WHERE push <= ? AND token <> '" + campaign.KeyToken + "' ORDER BY push LIMIT ?)"),
		outbox: p.Prepare("DELETE FROM outbox WHERE seq <= ?"),
		gone:   p.Prepare("DELETE FROM gone WHERE seq < coalesce((SELECT min(seq) FROM outbox), 9223372036854775807)"),
		fanout: p.Prepare("DELETE FROM fanout WHERE id IN (SELECT id FROM fanout f WHERE id <= ? AND late <> 1 AND NOT EXISTS (SELECT 1 FROM push WHERE fanout = f.id)" +
			" AND NOT EXISTS (SELECT 1 FROM refused WHERE fanout = f.id) AND NOT EXISTS (SELECT 1 FROM idem WHERE push = f.id)" +
			" AND id NOT IN " + targetsOfCampaigns + " ORDER BY id LIMIT ?)"),
		lastEvent:    p.Prepare("SELECT max(seq) FROM (SELECT seq FROM outbox WHERE seq <= ? ORDER BY seq LIMIT ?)"),
		missed:       p.Prepare("SELECT count(*) FROM outbox WHERE seq <= ? AND seq > (SELECT min(seq) FROM event_reader)"),
		deletedEvent: p.Prepare("UPDATE meta SET deleted_event = ? WHERE one = 1"),
		once:         p.Prepare("DELETE FROM event_once WHERE until < ?"),
		refused:      p.Prepare("DELETE FROM refused WHERE id IN (SELECT id FROM refused WHERE id <= ? ORDER BY id LIMIT ?)"),
		batch:        p.Prepare("DELETE FROM batch WHERE id IN (SELECT id FROM batch b WHERE id <= ? AND NOT EXISTS (SELECT 1 FROM idem WHERE push = b.id) ORDER BY id LIMIT ?)"),
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

// deleteKeys deletes up to limit idempotency keys up to that of the push last. Those of campaigns go when their batches are noted.
func (t *tx) deleteKeys(last int64, limit int) (int64, error) {
	return t.old.idem.Exec(last, int64(limit))
}

// deleteArchived deletes up to limit archived messages up to last.
func (t *tx) deleteArchived(last int64, limit int) (int64, error) {
	return t.account.DeleteArchived(last, limit)
}

// deleteEvents deletes up to limit events up to last, notes the number of the last of them, and deletes with them the endpoints that no event names any more. It
// returns how many of them the slowest reader has missed, and how many there were.
func (t *tx) deleteEvents(last int64, limit int) (missed, n int64, err error) {
	if _, err := t.old.lastEvent.Row(t.old.row[:], last, int64(limit)); err != nil || t.old.row[0] == nil {
		return 0, 0, err
	}
	last = direct.Int(t.old.row[0])
	if _, err := t.old.missed.Row(t.old.row[:], last); err != nil {
		return 0, 0, err
	}
	missed = direct.Int(t.old.row[0])
	if err := t.old.deletedEvent.Run(last); err != nil {
		return 0, 0, err
	}
	n, err = t.old.outbox.Exec(last)
	if err != nil || n == int64(limit) {
		return missed, n, err
	}
	return missed, n, t.old.gone.Run()
}

// forgetNames deletes the names of events that are written once whose time is over.
func (t *tx) forgetNames(now time.Time) error { return t.old.once.Run(direct.Micros(now)) }

// deleteFanouts deletes up to limit fan-outs up to last that have no targets any more, and no key to be answered again.
func (t *tx) deleteFanouts(last int64, limit int) (int64, error) {
	return t.old.fanout.Exec(last, int64(limit))
}

// deleteBatches deletes up to limit batches up to last that have no key to be answered again.
func (t *tx) deleteBatches(last int64, limit int) (int64, error) {
	return t.old.batch.Exec(last, int64(limit))
}

// deleteRefusals deletes up to limit refused targets up to last.
func (t *tx) deleteRefusals(last int64, limit int) (int64, error) {
	return t.old.refused.Exec(last, int64(limit))
}
