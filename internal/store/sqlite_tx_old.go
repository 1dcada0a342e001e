package store

import (
	"signalbox/internal/campaign"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
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
