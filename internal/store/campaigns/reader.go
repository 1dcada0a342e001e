package campaigns

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/campaign"
	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/query"
)

// Reader reads campaigns on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	DB *sql.DB
}

const (
	selectCampaign = "SELECT id, domain, spec, body" + otherColumns
	selectListed   = "SELECT id, domain, spec, NULL" + otherColumns // payloads are large, and a list shows none
	otherColumns   = ", state, reason, history, targets, sent, canary_at, canary_passed, next_at, batches, cancelled, counts, created, updated FROM campaign"
	columns        = 17

	// One step in the index for each campaign, however many targets it has.
	queryStrays = "WITH RECURSIVE kept (id) AS (SELECT min(campaign) FROM campaign_target UNION ALL" +
		" SELECT (SELECT min(campaign) FROM campaign_target WHERE campaign > kept.id) FROM kept WHERE kept.id IS NOT NULL)" +
		" SELECT id FROM kept WHERE id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM campaign c WHERE c.id = kept.id)"
	queryOver = "SELECT id FROM campaign WHERE (state = 'finished' OR state = 'aborted' AND cancelled > batches) AND updated < ? ORDER BY id"
)

// Campaign returns one with its payload, or campaign.ErrUnknown.
func (r Reader) Campaign(ctx context.Context, domain string, id campaign.ID) (campaign.Campaign, error) {
	all, err := r.list(ctx, selectCampaign+" WHERE id = ? AND domain = ?", int64(id), domain)
	if err == nil && len(all) == 0 {
		err = campaign.ErrUnknown
	}
	if err != nil {
		return campaign.Campaign{}, err
	}
	return all[0], nil
}

// Campaigns is as campaign.Store has it.
func (r Reader) Campaigns(ctx context.Context, domain string, state campaign.State, before campaign.ID, limit int) ([]campaign.Campaign, error) {
	return r.list(ctx, selectListed+" WHERE domain = ?1 AND (?2 = 0 OR id < ?2) AND (?3 = '' OR state = ?3) ORDER BY id DESC LIMIT ?4", domain, int64(before), string(state), limit)
}

// Active returns the campaigns that campaign.Service carries on.
func (r Reader) Active(ctx context.Context) ([]campaign.Campaign, error) {
	return r.list(ctx, selectCampaign+" INDEXED BY campaign_active WHERE state = 'running' OR state = 'aborted' AND cancelled <= batches ORDER BY id")
}

// Strays returns the ids under which targets are kept without a campaign.
func (r Reader) Strays(ctx context.Context) ([]campaign.ID, error) { return r.ids(ctx, queryStrays) }

// Over returns the campaigns that have been over since before a time.
func (r Reader) Over(ctx context.Context, before time.Time) ([]campaign.ID, error) {
	return r.ids(ctx, queryOver, before.UnixMicro())
}

func (r Reader) ids(ctx context.Context, text string, args ...any) (ids []campaign.ID, err error) {
	err = query.Ask(ctx, r.DB, text, 1, func(row []driver.Value) error {
		ids = append(ids, campaign.ID(direct.Int(row[0])))
		return nil
	}, args...)
	return ids, err
}

func (r Reader) list(ctx context.Context, text string, args ...any) ([]campaign.Campaign, error) {
	var all []campaign.Campaign
	err := query.Ask(ctx, r.DB, text, columns, func(row []driver.Value) error {
		c, err := campaignOf(row)
		all = append(all, c)
		return err
	}, args...)
	return all, err
}

// Targets returns the ids of up to limit targets from a place on.
func (r Reader) Targets(ctx context.Context, id campaign.ID, place, limit int) (ids []string, err error) {
	err = query.Ask(ctx, r.DB, "SELECT subject FROM campaign_target WHERE campaign = ? AND place >= ? ORDER BY place LIMIT ?", 1, func(row []driver.Value) error {
		subject, _ := row[0].(string)
		ids = append(ids, subject)
		return nil
	}, int64(id), place, limit)
	return ids, err
}

// Counts returns how many targets of the campaign's batches are in the state of each code.
func (r Reader) Counts(ctx context.Context, id campaign.ID) (byCode map[int64]int, refused int, err error) {
	byCode = map[int64]int{}
	const pushes = "SELECT p.state, count(*) FROM campaign_batch b CROSS JOIN push p INDEXED BY push_fanout ON p.fanout = b.fanout WHERE b.campaign = ? AND p.fanout IS NOT NULL GROUP BY p.state"
	err = query.Ask(ctx, r.DB, pushes, 2, func(row []driver.Value) error {
		byCode[direct.Int(row[0])] = int(direct.Int(row[1]))
		return nil
	}, int64(id))
	if err != nil {
		return nil, 0, err
	}
	const refusals = "SELECT coalesce(sum(f.refused), 0) FROM campaign_batch b CROSS JOIN fanout f ON f.id = b.fanout WHERE b.campaign = ?"
	err = query.Ask(ctx, r.DB, refusals, 1, func(row []driver.Value) error {
		refused = int(direct.Int(row[0]))
		return nil
	}, int64(id))
	return byCode, refused, err
}

// Batches returns the fan-outs of up to limit batches behind so many.
func (r Reader) Batches(ctx context.Context, id campaign.ID, skip, limit int) (ids []push.ID, err error) {
	err = query.Ask(ctx, r.DB, "SELECT fanout FROM campaign_batch WHERE campaign = ? ORDER BY place LIMIT ? OFFSET ?", 1, func(row []driver.Value) error {
		ids = append(ids, push.ID(direct.Int(row[0])))
		return nil
	}, int64(id), limit, skip)
	return ids, err
}

// campaignOf reads the columns of selectCampaign.
func campaignOf(row []driver.Value) (c campaign.Campaign, err error) {
	text := func(i int) string { s, _ := row[i].(string); return s }
	var s spec
	if err := json.Unmarshal([]byte(text(2)), &s); err != nil {
		return c, fmt.Errorf("read campaign: %w", err)
	}
	body, _ := row[3].([]byte)
	c = campaign.Campaign{
		ID: campaign.ID(direct.Int(row[0])), Domain: text(1), State: campaign.State(text(4)), Reason: text(5), Targets: int(direct.Int(row[7])), Sent: int(direct.Int(row[8])),
		CanaryAt: direct.Time(direct.Int(row[9])), CanaryPassed: direct.Int(row[10]) != 0, NextAt: direct.Time(direct.Int(row[11])), Batches: int(direct.Int(row[12])), Cancelled: int(direct.Int(row[13])),
		Created: direct.Time(direct.Int(row[15])), Updated: direct.Time(direct.Int(row[16])),
		Spec: campaign.Spec{
			Name: s.Name, Selector: s.Selector, Rate: s.Rate, CanaryPercent: s.Canary, CanaryWait: s.CanaryWait, AbortPercent: s.Abort, AbortAfter: s.AbortAfter,
			Window: s.Window, Start: s.Start,
			Push: push.Push{
				To: endpoint.Key{Domain: text(1)}, Type: s.Type, Payload: append([]byte(nil), body...), Binary: s.Binary, Priority: s.Priority, Ack: s.Ack, TTL: s.TTL, CollapseKey: s.CollapseKey,
			},
		},
	}
	if err := json.Unmarshal([]byte(text(6)), &c.History); err != nil {
		return c, fmt.Errorf("read history of %s: %w", c.ID, err)
	}
	if counts := text(14); counts != "" {
		if err := json.Unmarshal([]byte(counts), &c.Counts); err != nil {
			return c, fmt.Errorf("read counts of %s: %w", c.ID, err)
		}
	}
	return c, nil
}
