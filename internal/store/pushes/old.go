package pushes

import (
	"context"

	"signalbox/internal/campaign"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/query"
)

const (
	queryLastPush = "SELECT last_push FROM meta"

	// A target of a fan-out that took late joiners stays until that has expired for as long, so that nobody becomes a target twice.
	stillTarget = "EXISTS (SELECT 1 FROM fanout f WHERE f.id = push.fanout AND f.late IN (1, 2) AND f.expires >= ?3)"

	// The targets of a campaign are counted as long as it has no counts of its own.
	targetsOfCampaigns = "(SELECT b.fanout FROM campaign c CROSS JOIN campaign_batch b ON b.campaign = c.id WHERE c.counts IS NULL)"

	// The time of its end, or what comes close to it: a push does not outlive its TTL, and who was accepted in the future is as old as the pushes around it.
	queryOldPushes = "SELECT id FROM push WHERE id > ?1 AND id <= ?2 AND place = 4" +
		" AND CASE WHEN ended <= ?4 THEN ended WHEN created <= ?4 THEN expires ELSE 0 END < ?3" +
		" AND (fanout IS NULL OR NOT " + stillTarget + " AND fanout NOT IN " + targetsOfCampaigns + ") ORDER BY id LIMIT ?5"
)

type oldStmts struct {
	push, idem, fanout, refused, batch *direct.Stmt
}

func newOldStmts(p *direct.Preparer) oldStmts {
	return oldStmts{
		push: p.Prepare("DELETE FROM push WHERE id = ? AND place = 4"),
		idem: p.Prepare("DELETE FROM idem WHERE push IN (SELECT push FROM idem WHERE push <= ? AND token <> '" + campaign.KeyToken + "' ORDER BY push LIMIT ?)"),
		fanout: p.Prepare("DELETE FROM fanout WHERE id IN (SELECT id FROM fanout f WHERE id <= ? AND late <> 1 AND NOT EXISTS (SELECT 1 FROM push WHERE fanout = f.id)" +
			" AND NOT EXISTS (SELECT 1 FROM refused WHERE fanout = f.id) AND NOT EXISTS (SELECT 1 FROM idem WHERE push = f.id)" +
			" AND id NOT IN " + targetsOfCampaigns + " ORDER BY id LIMIT ?)"),
		refused: p.Prepare("DELETE FROM refused WHERE id IN (SELECT id FROM refused WHERE id <= ? ORDER BY id LIMIT ?)"),
		batch:   p.Prepare("DELETE FROM batch WHERE id IN (SELECT id FROM batch b WHERE id <= ? AND NOT EXISTS (SELECT 1 FROM idem WHERE push = b.id) ORDER BY id LIMIT ?)"),
	}
}

// DeleteOld deletes those pushes that are final.
func (s *Statements) DeleteOld(ids []push.ID) error {
	for _, id := range ids {
		if err := s.leave(id); err != nil {
			return err
		}
		if err := s.old.push.Run(int64(id)); err != nil {
			return err
		}
	}
	return nil
}

// DeleteKeys deletes up to limit idempotency keys up to that of the push last. Those of campaigns go when their batches are noted.
func (s *Statements) DeleteKeys(last int64, limit int) (int64, error) {
	return s.old.idem.Exec(last, int64(limit))
}

// DeleteFanouts deletes up to limit pushes to many up to last that have no targets any more, and no key to be answered again.
func (s *Statements) DeleteFanouts(last int64, limit int) (int64, error) {
	return s.old.fanout.Exec(last, int64(limit))
}

// DeleteBatches deletes up to limit batches up to last that have no key to be answered again.
func (s *Statements) DeleteBatches(last int64, limit int) (int64, error) {
	return s.old.batch.Exec(last, int64(limit))
}

// DeleteRefusals deletes up to limit refused targets up to last.
func (s *Statements) DeleteRefusals(last int64, limit int) (int64, error) {
	return s.old.refused.Exec(last, int64(limit))
}

// Over returns up to limit pushes behind after and up to last that have been final since before cutoff, in the order of their ids. Times behind future are not believed;
// both are microseconds since 1970.
func (r *Reader) Over(ctx context.Context, after push.ID, last, cutoff, future int64, limit int) ([]push.ID, error) {
	return query.List(ctx, r.over, 1, idOf, int64(after), last, cutoff, future, limit)
}

// Newest returns the id that was given out last.
func (r *Reader) Newest(ctx context.Context) (push.ID, error) {
	return query.One(ctx, r.newest, 1, idOf, failure.ErrCorrupt)
}
