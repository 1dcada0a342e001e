package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"signalbox/internal/campaign"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/pushes"
)

var _ campaign.Store = (*Store)(nil)

// NewCampaign implements campaign.Store.
func (s *Store) NewCampaign(ctx context.Context, key *push.Idempotency) (id campaign.ID, replayed bool, err error) {
	type numbered struct {
		id       push.ID
		replayed bool
	}
	n, err := outcome(ctx, s, func(t *tx) (n numbered, err error) {
		if key != nil {
			used, found, err := t.push.FindKey(key)
			switch {
			case err != nil:
				return n, err
			case found && used.Body != key.Body:
				return n, push.ErrKeyReused
			case found:
				return numbered{used.Push, true}, nil
			}
		}
		n.id, err = t.nextPush()
		return n, err
	}, push.ErrKeyReused)
	return campaign.ID(n.id), n.replayed, err
}

// AddCampaignTargets implements campaign.Store.
func (s *Store) AddCampaignTargets(ctx context.Context, id campaign.ID, place int, ids []string) error {
	return s.try(ctx, func(t *tx) error { return t.campaign.AddTargets(id, place, ids) })
}

// CreateCampaign implements campaign.Store.
func (s *Store) CreateCampaign(ctx context.Context, c campaign.Campaign, key *push.Idempotency) error {
	return s.try(ctx, func(t *tx) error {
		n, err := t.campaign.CountOpen()
		switch {
		case err != nil:
			return err
		case n >= campaign.MaxActive:
			return campaign.ErrTooMany
		}
		if err := t.campaign.Insert(&c); err != nil {
			return err
		}
		if key != nil {
			if err := t.push.InsertKey(key, push.ID(c.ID), t.now); err != nil {
				return err
			}
		}
		return t.campaignEvent(outbox.CampaignStarted, &c)
	}, campaign.ErrTooMany)
}

// StrayCampaigns implements campaign.Store.
func (s *Store) StrayCampaigns(ctx context.Context) ([]campaign.ID, error) {
	return s.reader.campaigns.Strays(ctx)
}

// DropCampaignTargets implements campaign.Store.
func (s *Store) DropCampaignTargets(ctx context.Context, id campaign.ID) error {
	return s.inChunks(ctx, campaignChunk, func(t *tx) (int64, error) { return t.campaign.DropTargets(id, campaignChunk) })
}

// campaignChunk is how many rows that belong to a campaign one transaction deletes.
const campaignChunk = 1000

// StepCampaign implements campaign.Store.
func (s *Store) StepCampaign(ctx context.Context, domain string, step campaign.Step) (campaign.Campaign, error) {
	return outcome(ctx, s, func(t *tx) (campaign.Campaign, error) {
		c, err := t.campaign.Find(domain, step.ID)
		if err != nil {
			return c, err
		}
		if !slices.Contains(step.From, c.State) {
			return c, campaign.ErrState
		}
		c.CanaryPassed = c.CanaryPassed || step.CanaryPassed
		c.Cancelled = max(c.Cancelled, step.Cancelled)
		c.Updated = t.now
		if step.To == "" {
			return c, t.campaign.Update(&c)
		}
		kind := campaignKind(c.State, step.To)
		c.State, c.Reason = step.To, step.Reason
		c.History = append(c.History, campaign.Change{State: step.To, At: t.now.UTC(), Reason: step.Reason})
		if step.To == campaign.Finished {
			c.Counts = step.Counts
		}
		if err := t.campaign.Update(&c); err != nil {
			return c, err
		}
		return c, t.campaignEvent(kind, &c)
	}, campaign.ErrUnknown, campaign.ErrState)
}

func campaignKind(from, to campaign.State) int64 {
	switch to {
	case campaign.Paused:
		return outbox.CampaignPaused
	case campaign.Aborted:
		return outbox.CampaignAborted
	case campaign.Finished:
		return outbox.CampaignFinished
	}
	if from == campaign.Paused {
		return outbox.CampaignResumed
	}
	return outbox.CampaignStarted
}

// campaignData is what events of campaigns tell.
type campaignData struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	State   campaign.State `json:"state"`
	Reason  string         `json:"reason"`
	Targets int            `json:"targets"`
	Sent    int            `json:"sent"`
}

func (t *tx) campaignEvent(kind int64, c *campaign.Campaign) error {
	data, err := json.Marshal(campaignData{c.ID.String(), c.Name, c.State, c.Reason, c.Targets, c.Sent})
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return t.insertEvent(outbox.Event{At: direct.Micros(t.now), Kind: kind, Data: string(data)})
}

// SentBatch implements campaign.Store.
func (s *Store) SentBatch(ctx context.Context, b campaign.Batch) error {
	return s.try(ctx, func(t *tx) error {
		if err := t.campaign.Advance(&b, t.now); err != nil {
			return err
		}
		return t.push.ForgetBatchKey(b.Fanout)
	})
}

// Campaign implements campaign.Store.
func (s *Store) Campaign(ctx context.Context, domain string, id campaign.ID) (campaign.Campaign, error) {
	return s.reader.campaigns.Campaign(ctx, domain, id)
}

// Campaigns implements campaign.Store.
func (s *Store) Campaigns(ctx context.Context, domain string, state campaign.State, before campaign.ID, limit int) ([]campaign.Campaign, error) {
	return s.reader.campaigns.Campaigns(ctx, domain, state, before, limit)
}

// ActiveCampaigns implements campaign.Store.
func (s *Store) ActiveCampaigns(ctx context.Context) ([]campaign.Campaign, error) {
	return s.reader.campaigns.Active(ctx)
}

// MembersFrom implements campaign.Store.
func (s *Store) MembersFrom(ctx context.Context, domain string, sel push.Selector, after int64, limit int) (ids []string, last int64, err error) {
	return s.reader.pushes.MembersFrom(ctx, domain, sel, after, limit)
}

// CampaignTargets implements campaign.Store.
func (s *Store) CampaignTargets(ctx context.Context, id campaign.ID, place, limit int) ([]string, error) {
	return s.reader.campaigns.Targets(ctx, id, place, limit)
}

// CampaignCounts implements campaign.Store.
func (s *Store) CampaignCounts(ctx context.Context, id campaign.ID) (push.Counts, error) {
	byCode, refused, err := s.reader.campaigns.Counts(ctx, id)
	if err != nil {
		return nil, err
	}
	counts := push.Counts{}
	for code, n := range byCode {
		state, err := pushes.StateOf(code)
		if err != nil {
			return nil, err
		}
		counts[state] = n
	}
	if refused > 0 {
		counts[push.Rejected] += refused
	}
	return counts, nil
}

// SubmittedBatch implements campaign.Store.
func (s *Store) SubmittedBatch(ctx context.Context, domain string, key push.Idempotency) (push.Fanout, error) {
	id, err := s.reader.pushes.ByKey(ctx, &key)
	if err != nil {
		return push.Fanout{}, err
	}
	return s.reader.pushes.Fanout(ctx, domain, id)
}

// CampaignBatches implements campaign.Store.
func (s *Store) CampaignBatches(ctx context.Context, id campaign.ID, skip, limit int) ([]push.ID, error) {
	return s.reader.campaigns.Batches(ctx, id, skip, limit)
}

// deleteOldCampaigns deletes campaigns that have been over for as long as their pushes are kept, one after the other.
func (s *Store) deleteOldCampaigns(ctx context.Context, before time.Time) error {
	over, err := s.reader.campaigns.Over(ctx, before)
	for _, id := range over {
		for _, step := range []func(t *tx) (int64, error){
			func(t *tx) (int64, error) { return t.campaign.DeleteTargets(id, campaignChunk) },
			func(t *tx) (int64, error) { return t.campaign.DeleteBatches(id, campaignChunk) },
			func(t *tx) (int64, error) { return 0, t.campaign.Delete(id) },
		} {
			if err == nil {
				err = s.inChunks(ctx, campaignChunk, step)
			}
		}
	}
	return err
}
