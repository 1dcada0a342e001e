package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Page is one page of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"` // cursor of the next page; empty: this is the last one
}

// Endpoint is one managed machine.
type Endpoint struct {
	ID        string            `json:"id"`
	JID       string            `json:"jid"`
	Enabled   bool              `json:"enabled"`
	Labels    map[string]string `json:"labels"`
	Groups    []string          `json:"groups"`
	Presence  Presence          `json:"presence"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
	Secret    string            `json:"secret,omitempty"` // only where the server made it
}

// Presence is what is known of an endpoint's last or live session.
type Presence struct {
	State        string    `json:"state"` // online, offline, never
	Since        time.Time `json:"since,omitzero"`
	SessionSince time.Time `json:"session_since,omitzero"` // when it was bound
	LastHeard    time.Time `json:"last_heard,omitzero"`
	Reason       string    `json:"reason,omitempty"`  // why it is offline
	LastEnd      time.Time `json:"last_end,omitzero"` // of the session or connection before, while it is online
	LastReason   string    `json:"last_reason,omitempty"`
	Resource     string    `json:"resource,omitempty"`
	RemoteAddr   string    `json:"remote_addr,omitempty"`
	Via          string    `json:"via,omitempty"` // tls, starttls, websocket
	TLSVersion   string    `json:"tls_version,omitempty"`
	Intercepted  bool      `json:"intercepted,omitempty"`          // TLS is opened on its way, as it says
	Flapping     bool      `json:"flapping,omitempty"`             // too many sessions begin
	Sessions     int       `json:"sessions_last_minute,omitempty"` // that began
	Cloned       *Rival    `json:"cloned,omitempty"`               // nil: nobody else logs in with its identity
	QueuedPushes int       `json:"queued_pushes"`                  // only in the answer of Client.Presence
}

// Rival is a machine that was refused because another one with the same identity is online.
type Rival struct {
	RemoteAddr string    `json:"remote_addr"`
	Resource   string    `json:"resource,omitempty"`
	At         time.Time `json:"at"`
}

// NewEndpoint is an endpoint to be registered.
type NewEndpoint struct {
	ID      string            `json:"id"`
	Secret  string            `json:"secret,omitempty"` // empty: the server makes one
	Labels  map[string]string `json:"labels,omitempty"`
	Groups  []string          `json:"groups,omitempty"`
	Enabled *bool             `json:"enabled,omitempty"` // nil: enabled
}

// EndpointChange changes an endpoint; nil fields stay as they are.
type EndpointChange struct {
	Enabled *bool              `json:"enabled,omitempty"`
	Labels  *map[string]string `json:"labels,omitempty"` // replaces all labels
	Groups  *[]string          `json:"groups,omitempty"` // replaces all groups
}

// EndpointFilter selects endpoints. The zero value selects the first page of all.
type EndpointFilter struct {
	State  string // online, offline, never
	Label  string // name=value
	Group  string
	Search string // part of the id
	Limit  int    // 1..500; 0: 100
	Cursor string // Next of the page before
}

// CreateEndpoint registers an endpoint.
func (c *Client) CreateEndpoint(ctx context.Context, e NewEndpoint) (out Endpoint, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/v1/endpoints", body: e}, &out)
	return out, err
}

// Endpoints returns one page of the endpoints that f selects, by id.
func (c *Client) Endpoints(ctx context.Context, f EndpointFilter) (out Page[Endpoint], err error) {
	q := query("state", f.State, "label", f.Label, "group", f.Group, "q", f.Search, "cursor", f.Cursor, "limit", number(f.Limit))
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/endpoints", query: q}, &out)
	return out, err
}

// Endpoint returns one endpoint.
func (c *Client) Endpoint(ctx context.Context, id string) (out Endpoint, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: endpointPath(id, "")}, &out)
	return out, err
}

// ChangeEndpoint changes an endpoint and returns it as it is then.
func (c *Client) ChangeEndpoint(ctx context.Context, id string, change EndpointChange) (out Endpoint, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, path: endpointPath(id, ""), body: change}, &out)
	return out, err
}

// DeleteEndpoint removes an endpoint with its pushes.
func (c *Client) DeleteEndpoint(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: endpointPath(id, "")}, nil)
	return err
}

// Presence returns whether an endpoint is online, and how many pushes wait for it.
func (c *Client) Presence(ctx context.Context, id string) (out Presence, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: endpointPath(id, "/presence")}, &out)
	return out, err
}

// Disconnect ends an endpoint's session and reports whether it had one.
func (c *Client) Disconnect(ctx context.Context, id string) (bool, error) {
	var out struct {
		Disconnected bool `json:"disconnected"`
	}
	_, err := c.do(ctx, call{method: http.MethodPost, path: endpointPath(id, "/disconnect")}, &out)
	return out.Disconnected, err
}

// ChangeSecret replaces an endpoint's secret. With an empty one the server makes it, and generated is it.
func (c *Client) ChangeSecret(ctx context.Context, id, secret string) (generated string, err error) {
	body := struct {
		Secret string `json:"secret,omitempty"`
	}{secret}
	var out struct {
		Secret string `json:"secret"`
	}
	_, err = c.do(ctx, call{method: http.MethodPost, path: endpointPath(id, "/secret"), body: body}, &out)
	return out.Secret, err
}

func endpointPath(id, rest string) string { return "/v1/endpoints/" + url.PathEscape(id) + rest }

// query makes parameters of names and values in turn; empty values are left out.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
