package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Webhook is a receiver of events. The management server of the server's configuration is one, with the id "management".
type Webhook struct {
	ID           string        `json:"id"`
	URL          string        `json:"url"`
	Description  string        `json:"description,omitempty"`
	Types        []string      `json:"types"` // empty: all but push.accepted and push.sent
	Enabled      bool          `json:"enabled"`
	Configured   bool          `json:"configured"` // it is set in the configuration and cannot be changed over the API
	InsecureHTTP bool          `json:"insecure_http"`
	Keys         []WebhookKey  `json:"keys"`
	Status       WebhookStatus `json:"status"`
	CreatedAt    time.Time     `json:"created_at"`
	UpdatedAt    time.Time     `json:"updated_at"`
	Secret       string        `json:"secret,omitempty"` // only in the answer to the request that made it
}

// WebhookKey is what signs events.
type WebhookKey struct {
	Signature string    `json:"signature"`            // hmac, ed25519
	PublicKey string    `json:"public_key,omitempty"` // of ed25519
	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero: it signs on
}

// WebhookStatus is how a receiver is doing.
type WebhookStatus struct {
	State        string    `json:"state"` // ok, failing, disabled
	Cursor       int64     `json:"cursor"`
	Pending      int64     `json:"pending"` // events that wait, at most
	PendingSince time.Time `json:"pending_since,omitzero"`
	SetAside     int       `json:"set_aside"`
	Failures     int       `json:"failures"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	NextAttempt  time.Time `json:"next_attempt,omitzero"`
	Code         string    `json:"code,omitempty"`
	Error        string    `json:"error,omitempty"`
	Action       string    `json:"action,omitempty"`
	LastSuccess  time.Time `json:"last_success,omitzero"`
}

// WebhookDelivery is one attempt to hand an event over.
type WebhookDelivery struct {
	At          time.Time `json:"at"`
	Event       string    `json:"event"`
	Seq         int64     `json:"seq,omitempty"` // 0: a test or a snapshot
	Type        string    `json:"type"`
	Endpoint    string    `json:"endpoint,omitempty"`
	Attempt     int       `json:"attempt"`
	OK          bool      `json:"ok"`
	Status      int       `json:"status,omitempty"` // 0: there was no answer
	Millis      int64     `json:"ms"`
	Code        string    `json:"code,omitempty"`
	Error       string    `json:"error,omitempty"`
	Action      string    `json:"action,omitempty"`
	NextAttempt time.Time `json:"next_attempt,omitzero"`
}

// NewWebhook is a webhook to be registered.
type NewWebhook struct {
	URL          string   `json:"url"`
	Description  string   `json:"description,omitempty"`
	Types        []string `json:"types,omitempty"`     // such as push.failed, endpoint.*
	Signature    string   `json:"signature,omitempty"` // hmac, ed25519; empty: hmac
	InsecureHTTP bool     `json:"insecure_http,omitempty"`
	Enabled      *bool    `json:"enabled,omitempty"` // nil: enabled
}

// WebhookChange changes a webhook; nil and empty fields stay as they are.
type WebhookChange struct {
	URL           *string   `json:"url,omitempty"`
	Description   *string   `json:"description,omitempty"`
	Types         *[]string `json:"types,omitempty"`
	InsecureHTTP  *bool     `json:"insecure_http,omitempty"`
	Enabled       *bool     `json:"enabled,omitempty"`
	NewSecret     string    `json:"new_secret,omitempty"`      // hmac, ed25519
	OldSecretsFor *int64    `json:"old_secrets_for,omitempty"` // seconds; nil: a day
}

// Replay says which events are sent again: one of the three is set.
type Replay struct {
	Seq    *int64     `json:"seq,omitempty"`  // those behind this number
	From   *time.Time `json:"from,omitempty"` // those since this time
	Failed bool       `json:"failed,omitempty"`
}

// Replayed is what a replay begins with.
type Replayed struct {
	After   int64 `json:"after"`   // events behind this number are sent again
	Revived int   `json:"revived"` // events that were given up and are tried again
}

// CreateWebhook registers a webhook. Its secret is in this answer alone.
func (c *Client) CreateWebhook(ctx context.Context, w NewWebhook) (out Webhook, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/v1/webhooks", body: w}, &out)
	return out, err
}

// Webhooks returns all webhooks.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	var out Page[Webhook]
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/webhooks"}, &out)
	return out.Items, err
}

// Webhook returns one webhook.
func (c *Client) Webhook(ctx context.Context, id string) (out Webhook, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: webhookPath(id, "")}, &out)
	return out, err
}

// ChangeWebhook changes a webhook and returns it as it is then.
func (c *Client) ChangeWebhook(ctx context.Context, id string, change WebhookChange) (out Webhook, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, path: webhookPath(id, ""), body: change}, &out)
	return out, err
}

// DeleteWebhook removes a webhook with its log.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: webhookPath(id, "")}, nil)
	return err
}

// TestWebhook has a test sent now and returns what came of it. It may take as long as the receiver is given to answer.
func (c *Client) TestWebhook(ctx context.Context, id string) (out WebhookDelivery, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: webhookPath(id, "/test")}, &out)
	return out, err
}

// WebhookDeliveries returns one page of the attempts for a webhook, the newest first; failed leaves out those that were taken.
func (c *Client) WebhookDeliveries(ctx context.Context, id string, failed bool, limit int, cursor string) (out Page[WebhookDelivery], err error) {
	q := query("limit", number(limit), "cursor", cursor)
	if failed {
		q.Set("failed", strconv.FormatBool(failed))
	}
	_, err = c.do(ctx, call{method: http.MethodGet, path: webhookPath(id, "/deliveries"), query: q}, &out)
	return out, err
}

// ReplayWebhook has events sent again.
func (c *Client) ReplayWebhook(ctx context.Context, id string, r Replay) (out Replayed, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: webhookPath(id, "/replay"), body: r}, &out)
	return out, err
}

func webhookPath(id, rest string) string { return "/v1/webhooks/" + url.PathEscape(id) + rest }
