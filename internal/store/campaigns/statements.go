// Package campaigns holds the SQL of campaigns: the statements of the one writer, and the readers' queries.
package campaigns

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/campaign"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

// Statements are prepared on the writer's connection. One goroutine at a time uses them. The methods hold no decisions.
type Statements struct {
	insert, find, update, count  *direct.Stmt
	addTargets, dropTargets      *direct.Stmt
	insertBatch, advance         *direct.Stmt
	delete                       *direct.Stmt
	deleteTargets, deleteBatches *direct.Stmt

	row [columns]driver.Value // reused
}

// Prepare prepares everything on the writer's connection.
func Prepare(c *direct.Conn) (*Statements, error) {
	s := &Statements{}
	for query, into := range map[string]**direct.Stmt{
		"INSERT INTO campaign (id, domain, spec, body, state, reason, history, targets, sent, canary_at, canary_passed, next_at, batches, cancelled, created, updated)" +
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, 0, 0, 0, ?, ?)": &s.insert,
		selectCampaign + " WHERE id = ? AND domain = ?": &s.find,
		"UPDATE campaign SET state = ?2, reason = ?3, history = ?4, canary_passed = ?5, cancelled = ?6, counts = coalesce(?7, counts), updated = ?8 WHERE id = ?1": &s.update,
		"SELECT count(*) FROM campaign WHERE state IN ('running', 'paused')":                                                                                       &s.count,
		"INSERT INTO campaign_target (campaign, place, subject) SELECT ?1, ?2 + key, value FROM json_each(?3)":                                                     &s.addTargets,
		"DELETE FROM campaign_target WHERE campaign = ?1 AND NOT EXISTS (SELECT 1 FROM campaign WHERE id = ?1) AND place IN" + firstOf("campaign_target"):          &s.dropTargets,
		"INSERT INTO campaign_batch (campaign, place, fanout) VALUES (?, ?, ?)":                                                                                    &s.insertBatch,
		"UPDATE campaign SET sent = sent + ?3, next_at = ?4, canary_at = max(canary_at, ?5), batches = batches + 1, updated = ?6 WHERE id = ?1 AND sent = ?2":      &s.advance,
		"DELETE FROM campaign WHERE id = ?": &s.delete,
		"DELETE FROM campaign_target WHERE campaign = ?1 AND place IN" + firstOf("campaign_target"): &s.deleteTargets,
		"DELETE FROM campaign_batch WHERE campaign = ?1 AND place IN" + firstOf("campaign_batch"):   &s.deleteBatches,
	} {
		var err error
		if *into, err = c.Prepare(query); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// firstOf selects the first places of a campaign in a table.
func firstOf(table string) string {
	return " (SELECT place FROM " + table + " WHERE campaign = ?1 ORDER BY place LIMIT ?2)"
}

// Insert makes a campaign.
func (s *Statements) Insert(c *campaign.Campaign) error {
	spec, err := encodeSpec(&c.Spec)
	if err != nil {
		return err
	}
	history, err := json.Marshal(c.History)
	if err != nil {
		return fmt.Errorf("encode history: %w", err)
	}
	body := c.Push.Payload
	if body == nil {
		body = []byte{}
	}
	return s.insert.Run(int64(c.ID), c.Domain, spec, body, string(c.State), c.Reason, string(history), int64(c.Targets), direct.Flag(c.CanaryPassed), c.Created.UnixMicro(),
		c.Updated.UnixMicro())
}

// Find returns a campaign with its payload, or campaign.ErrUnknown.
func (s *Statements) Find(domain string, id campaign.ID) (campaign.Campaign, error) {
	found, err := s.find.Row(s.row[:], int64(id), domain)
	if err == nil && !found {
		err = campaign.ErrUnknown
	}
	if err != nil {
		return campaign.Campaign{}, err
	}
	return campaignOf(s.row[:])
}

// Update writes what a step may change.
func (s *Statements) Update(c *campaign.Campaign) error {
	history, err := json.Marshal(c.History)
	if err != nil {
		return fmt.Errorf("encode history: %w", err)
	}
	var counts driver.Value
	if c.Counts != nil {
		text, err := json.Marshal(c.Counts)
		if err != nil {
			return fmt.Errorf("encode counts: %w", err)
		}
		counts = string(text)
	}
	return s.update.Run(int64(c.ID), string(c.State), c.Reason, string(history), direct.Flag(c.CanaryPassed), int64(c.Cancelled), counts, c.Updated.UnixMicro())
}

// CountOpen returns how many campaigns are not over.
func (s *Statements) CountOpen() (int, error) {
	_, err := s.count.Row(s.row[:1])
	n, _ := s.row[0].(int64)
	return int(n), err
}

// AddTargets keeps targets from a place on.
func (s *Statements) AddTargets(id campaign.ID, place int, ids []string) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return fmt.Errorf("encode ids: %w", err)
	}
	return s.addTargets.Run(int64(id), int64(place), string(list))
}

// DropTargets removes up to limit targets that are kept under the id of a campaign that was not made, and returns how many.
func (s *Statements) DropTargets(id campaign.ID, limit int) (int64, error) {
	return s.dropTargets.Exec(int64(id), int64(limit))
}

// Advance notes a batch, if the campaign stands where it begins.
func (s *Statements) Advance(b *campaign.Batch, now time.Time) error {
	n, err := s.advance.Exec(int64(b.Campaign), int64(b.Place), int64(b.Targets), direct.Micros(b.NextAt), direct.Micros(b.CanaryAt), now.UnixMicro())
	if err != nil || n == 0 {
		return err
	}
	return s.insertBatch.Run(int64(b.Campaign), int64(b.Place), int64(b.Fanout))
}

// DeleteTargets deletes up to limit targets of a campaign and returns how many.
func (s *Statements) DeleteTargets(id campaign.ID, limit int) (int64, error) {
	return s.deleteTargets.Exec(int64(id), int64(limit))
}

// DeleteBatches deletes up to limit batches of a campaign and returns how many.
func (s *Statements) DeleteBatches(id campaign.ID, limit int) (int64, error) {
	return s.deleteBatches.Exec(int64(id), int64(limit))
}

// Delete deletes a campaign, of which nothing else is left.
func (s *Statements) Delete(id campaign.ID) error { return s.delete.Run(int64(id)) }

// spec is a campaign.Spec as it is stored.
type spec struct {
	Name        string          `json:"name"`
	Type        string          `json:"type"`
	Binary      bool            `json:"binary,omitempty"`
	Priority    push.Priority   `json:"priority"`
	Ack         push.Ack        `json:"ack"`
	TTL         time.Duration   `json:"ttl"`
	CollapseKey string          `json:"collapse_key,omitempty"`
	Selector    push.Selector   `json:"selector"`
	Rate        int             `json:"rate,omitempty"`
	Canary      int             `json:"canary,omitempty"`
	CanaryWait  time.Duration   `json:"canary_wait,omitempty"`
	Abort       int             `json:"abort,omitempty"`
	AbortAfter  int             `json:"abort_after,omitempty"`
	Window      campaign.Window `json:"window"`
	Start       time.Time       `json:"start,omitzero"`
}

func encodeSpec(s *campaign.Spec) (string, error) {
	text, err := json.Marshal(spec{
		s.Name, s.Push.Type, s.Push.Binary, s.Push.Priority, s.Push.Ack, s.Push.TTL, s.Push.CollapseKey, s.Selector, s.Rate, s.CanaryPercent, s.CanaryWait, s.AbortPercent,
		s.AbortAfter, s.Window, s.Start,
	})
	if err != nil {
		return "", fmt.Errorf("encode campaign: %w", err)
	}
	return string(text), nil
}
