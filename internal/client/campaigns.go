package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// NewCampaign is a campaign to be made.
type NewCampaign struct {
	Name   string          `json:"name"`
	Push   CampaignPush    `json:"push"`
	Rate   int             `json:"rate_per_minute,omitempty"`
	Canary *CampaignCanary `json:"canary,omitempty"`
	Abort  *CampaignAbort  `json:"abort,omitempty"`
	Window *CampaignWindow `json:"window,omitempty"`
	Start  *time.Time      `json:"start,omitempty"`

	// IdempotencyKey makes repeating the request safe, see NewIdempotencyKey. Empty: the request is not repeated once it may have arrived.
	IdempotencyKey string `json:"-"`
}

// CampaignPush is what a campaign sends: Push.To is not used.
type CampaignPush struct {
	To   any // a Selector, or a list of ids
	Push NewPush
}

// MarshalJSON writes what the API reads.
func (p CampaignPush) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		To any `json:"to"`
		NewPush
	}{p.To, p.Push})
}

// CampaignCanary is a share of the endpoints that gets the push first.
type CampaignCanary struct {
	Percent int  `json:"percent"`
	Wait    *int `json:"wait,omitempty"` // seconds
}

// CampaignAbort is when a campaign ends by itself.
type CampaignAbort struct {
	FailedPercent int  `json:"failed_percent"`
	After         *int `json:"after,omitempty"` // pushes that are over
}

// CampaignWindow is when a campaign sends.
type CampaignWindow struct {
	From  string   `json:"from"` // HH:MM
	Until string   `json:"until"`
	Zone  string   `json:"zone,omitempty"`
	Days  []string `json:"days,omitempty"`
}

// Campaign is one roll-out.
type Campaign struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	State     string          `json:"state"` // running, paused, finished, aborted
	Reason    string          `json:"reason"`
	Waits     string          `json:"waits_for,omitempty"`
	Until     *time.Time      `json:"waits_until,omitempty"`
	Type      string          `json:"type"`
	Targets   int             `json:"targets"`
	Sent      int             `json:"sent"`
	Counts    map[string]int  `json:"counts,omitempty"` // nil in lists
	Rate      int             `json:"rate_per_minute,omitempty"`
	Canary    *CampaignCanary `json:"canary,omitempty"`
	Passed    bool            `json:"canary_passed"`
	Abort     *CampaignAbort  `json:"abort,omitempty"`
	Window    *CampaignWindow `json:"window,omitempty"`
	Start     *time.Time      `json:"start,omitempty"`
	History   []PushChange    `json:"history"` // oldest first
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
}

// CampaignFilter selects campaigns. The zero value selects the first page of all.
type CampaignFilter struct {
	State  string
	Limit  int    // 1..500; 0: 100
	Cursor string // Next of the page before
}

// CreateCampaign makes a campaign.
func (c *Client) CreateCampaign(ctx context.Context, n NewCampaign) (out Campaign, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/v1/campaigns", body: n, key: n.IdempotencyKey}, &out)
	return out, err
}

// Campaigns returns a page of campaigns, the newest first.
func (c *Client) Campaigns(ctx context.Context, f CampaignFilter) (out Page[Campaign], err error) {
	q := url.Values{}
	for name, v := range map[string]string{"state": f.State, "cursor": f.Cursor} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/campaigns", query: q}, &out)
	return out, err
}

// Campaign returns one campaign with the counts of its targets.
func (c *Client) Campaign(ctx context.Context, id string) (out Campaign, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/campaigns/" + url.PathEscape(id)}, &out)
	return out, err
}

// ChangeCampaign pauses, resumes or aborts a campaign.
func (c *Client) ChangeCampaign(ctx context.Context, id, change string) (out Campaign, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/v1/campaigns/" + url.PathEscape(id) + "/" + change}, &out)
	return out, err
}
