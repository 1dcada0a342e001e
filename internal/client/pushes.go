package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// NewPush is a push to be sent to one endpoint.
type NewPush struct {
	To            string          `json:"to"`
	Type          string          `json:"type"`
	Payload       json.RawMessage `json:"payload,omitempty"`        // any JSON of at most 64 KiB
	PayloadBase64 []byte          `json:"payload_base64,omitempty"` // bytes instead of JSON
	TTL           *int64          `json:"ttl,omitempty"`            // seconds; nil: the server's default; 0: now or never
	Priority      string          `json:"priority,omitempty"`       // high, normal, low; empty: normal
	Ack           string          `json:"ack,omitempty"`            // none, delivered, handled; empty: delivered

	// IdempotencyKey makes repeating the request safe, see NewIdempotencyKey. Empty: the request is not repeated once it may have arrived.
	IdempotencyKey string `json:"-"`
}

// Receipt says that a push is on stable storage. Of a push to several endpoints it has Targets and Counts in place of State and To.
type Receipt struct {
	ID       string         `json:"id"`
	State    string         `json:"state,omitempty"`
	To       string         `json:"to,omitempty"`
	Targets  int            `json:"targets,omitempty"`
	Counts   map[string]int `json:"counts,omitempty"` // targets by state
	Replayed bool           `json:"-"`                // an earlier request with the same key was answered before
}

// Push is what is known of a push. One to several endpoints has Targets and Counts in place of To, State, History and Result.
type Push struct {
	ID        string          `json:"id"`
	To        string          `json:"to,omitempty"`
	Targets   int             `json:"targets,omitempty"`
	Counts    map[string]int  `json:"counts,omitempty"` // targets by state
	Fanout    string          `json:"fanout,omitempty"` // the push to several endpoints that this is a target of
	Type      string          `json:"type"`
	State     string          `json:"state,omitempty"`
	History   []PushChange    `json:"history,omitempty"` // oldest first
	Result    json.RawMessage `json:"result,omitempty"`
	TTL       int64           `json:"ttl"` // seconds
	Priority  string          `json:"priority"`
	Ack       string          `json:"ack"`
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt time.Time       `json:"expires_at"`
}

// PushChange is one state that a push was in.
type PushChange struct {
	State  string    `json:"state"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Delivery is one target of a push.
type Delivery struct {
	ID      string          `json:"id"` // of the target's own push
	To      string          `json:"to"`
	State   string          `json:"state"`
	Reason  string          `json:"reason,omitempty"`
	History []PushChange    `json:"history"` // oldest first
	Result  json.RawMessage `json:"result,omitempty"`
}

// DeliveryFilter selects deliveries of one push. The zero value selects the first page of all.
type DeliveryFilter struct {
	State  string
	Limit  int    // 1..500; 0: 100
	Cursor string // Next of the page before
}

// PushFilter selects pushes. The zero value selects the first page of all.
type PushFilter struct {
	Endpoint string
	State    string
	Limit    int    // 1..500; 0: 100
	Cursor   string // Next of the page before
}

// SendPush hands a push to the server. It returns when the push is on stable storage.
func (c *Client) SendPush(ctx context.Context, p NewPush) (out Receipt, err error) {
	header, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/pushes", body: p, key: p.IdempotencyKey}, &out)
	out.Replayed = header.Get("Idempotency-Replayed") == "true"
	return out, err
}

// SendPushToMany hands one push for up to 10,000 endpoints to the server; p.To is not used. It returns when all of it is on stable storage.
func (c *Client) SendPushToMany(ctx context.Context, to []string, p NewPush) (out Receipt, err error) {
	body := struct {
		To []string `json:"to"`
		NewPush
	}{to, p}
	header, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/pushes", body: body, key: p.IdempotencyKey}, &out)
	out.Replayed = header.Get("Idempotency-Replayed") == "true"
	return out, err
}

// Deliveries returns one page of the targets of a push that f selects, the oldest first.
func (c *Client) Deliveries(ctx context.Context, id string, f DeliveryFilter) (out Page[Delivery], err error) {
	q := query("state", f.State, "cursor", f.Cursor, "limit", number(f.Limit))
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/pushes/" + url.PathEscape(id) + "/deliveries", query: q}, &out)
	return out, err
}

// Pushes returns one page of the pushes that f selects, the newest first.
func (c *Client) Pushes(ctx context.Context, f PushFilter) (out Page[Push], err error) {
	q := query("endpoint", f.Endpoint, "state", f.State, "cursor", f.Cursor, "limit", number(f.Limit))
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/pushes", query: q}, &out)
	return out, err
}

// Push returns one push with its history, or its counts.
func (c *Client) Push(ctx context.Context, id string) (out Push, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/pushes/" + url.PathEscape(id)}, &out)
	return out, err
}

// CancelPush ends a push that was not sent, or all targets of one that were not sent, and returns it as it is then.
func (c *Client) CancelPush(ctx context.Context, id string) (out Push, err error) {
	_, err = c.do(ctx, call{method: http.MethodDelete, path: "/v1/pushes/" + url.PathEscape(id)}, &out)
	return out, err
}
