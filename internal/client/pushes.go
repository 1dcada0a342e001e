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
	CollapseKey   string          `json:"collapse_key,omitempty"`   // it replaces a waiting push with the same key; up to 64 of A-Z, a-z, 0-9, - and _
	NotBefore     *time.Time      `json:"not_before,omitempty"`     // earliest delivery

	// IdempotencyKey makes repeating the request safe, see NewIdempotencyKey. Empty: the request is not repeated once it may have arrived.
	IdempotencyKey string `json:"-"`
}

// Selector names the endpoints that are in Group and have all Labels; at least one of them is given.
type Selector struct {
	Group  string            `json:"group,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
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

// Push is what is known of a push. One to several endpoints has Targets and Counts in place of State, History and Result, and Selector, if it has one, in place
// of To.
type Push struct {
	ID        string          `json:"id"`
	To        string          `json:"-"`
	Selector  *Selector       `json:"-"`
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

	LateJoiners bool       `json:"late_joiners,omitempty"` // it still takes endpoints that come to match
	CollapseKey string     `json:"collapse_key,omitempty"`
	NotBefore   *time.Time `json:"not_before,omitempty"`
}

// plainPush has no methods, so that they can use what encoding/json does.
type plainPush Push

// pushJSON is a push as the API writes it.
type pushJSON struct {
	To any `json:"to,omitempty"`
	*plainPush
}

// UnmarshalJSON reads what the API writes.
func (p *Push) UnmarshalJSON(data []byte) error {
	in := struct {
		To json.RawMessage `json:"to"`
		*plainPush
	}{plainPush: (*plainPush)(p)}
	if err := json.Unmarshal(data, &in); err != nil || in.To == nil {
		return err
	}
	if in.To[0] == '"' {
		return json.Unmarshal(in.To, &p.To)
	}
	return json.Unmarshal(in.To, &p.Selector)
}

// MarshalJSON writes what the API writes.
func (p Push) MarshalJSON() ([]byte, error) {
	out := pushJSON{plainPush: (*plainPush)(&p)}
	switch {
	case p.To != "":
		out.To = p.To
	case p.Selector != nil:
		out.To = p.Selector
	}
	return json.Marshal(out)
}

// PushChange is one state that a push was in.
type PushChange struct {
	State  string    `json:"state"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"` // of replaced: the newer push
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

// SendPushToSelected hands one push for all endpoints that match to the server; p.To is not used. With late, endpoints that come to match before it expires get it
// as well. It returns when all of it is on stable storage.
func (c *Client) SendPushToSelected(ctx context.Context, to Selector, late bool, p NewPush) (out Receipt, err error) {
	body := struct {
		To   Selector `json:"to"`
		Late bool     `json:"late_joiners,omitempty"`
		NewPush
	}{to, late, p}
	header, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/pushes", body: body, key: p.IdempotencyKey}, &out)
	out.Replayed = header.Get("Idempotency-Replayed") == "true"
	return out, err
}

// BatchReceipt says what became of a batch.
type BatchReceipt struct {
	Items    []BatchResult `json:"items"` // one for each push, in their order
	Accepted int           `json:"accepted"`
	Refused  int           `json:"refused"`
	Replayed bool          `json:"-"` // an earlier request with the same key was answered before
}

// BatchResult is what became of one push of a batch.
type BatchResult struct {
	ID      string   `json:"id,omitempty"`
	State   string   `json:"state,omitempty"`
	To      string   `json:"to,omitempty"`
	Problem *Problem `json:"problem,omitempty"` // why it was not accepted; nil: it was
}

// SendBatch hands up to 1,000 pushes, each to one endpoint, to the server; their idempotency keys are not used, key is that of the whole. It returns when all that
// were accepted are on stable storage.
func (c *Client) SendBatch(ctx context.Context, items []NewPush, key string) (out BatchReceipt, err error) {
	body := struct {
		Items []NewPush `json:"items"`
	}{items}
	header, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/pushes/batch", body: body, key: key}, &out)
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
