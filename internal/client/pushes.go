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

// Receipt says that a push is on stable storage.
type Receipt struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	To       string `json:"to"`
	Replayed bool   `json:"-"` // an earlier request with the same key was answered before
}

// Push is what is known of a push.
type Push struct {
	ID        string          `json:"id"`
	To        string          `json:"to"`
	Type      string          `json:"type"`
	State     string          `json:"state"`
	History   []PushChange    `json:"history"` // oldest first
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

// Pushes returns one page of the pushes that f selects, the newest first.
func (c *Client) Pushes(ctx context.Context, f PushFilter) (out Page[Push], err error) {
	q := query("endpoint", f.Endpoint, "state", f.State, "cursor", f.Cursor, "limit", number(f.Limit))
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/pushes", query: q}, &out)
	return out, err
}

// Push returns one push with its history.
func (c *Client) Push(ctx context.Context, id string) (out Push, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/pushes/" + url.PathEscape(id)}, &out)
	return out, err
}

// CancelPush ends a push that was not sent and returns it as it is then.
func (c *Client) CancelPush(ctx context.Context, id string) (out Push, err error) {
	_, err = c.do(ctx, call{method: http.MethodDelete, path: "/v1/pushes/" + url.PathEscape(id)}, &out)
	return out, err
}
