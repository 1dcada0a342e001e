package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Probe is what an endpoint said when it was asked for a sign of life.
type Probe struct {
	State    string    `json:"state"` // online, unresponsive, offline
	AskedAt  time.Time `json:"asked_at"`
	RTT      float64   `json:"rtt_ms,omitempty"` // milliseconds until it answered
	Presence Presence  `json:"presence"`
}

// PresenceOf is the presence of one of several endpoints.
type PresenceOf struct {
	ID string `json:"id"`
	Presence
}

// Presences are the answer to a query.
type Presences struct {
	Items   []PresenceOf `json:"items"`
	Unknown []string     `json:"unknown"` // ids that no endpoint has
}

// Snapshot is all endpoints as events told of them up to one.
type Snapshot struct {
	Seq       int64     `json:"seq"`
	LastEvent string    `json:"last_event_id"` // behind which the events go on
	At        time.Time `json:"at"`
	Endpoints int       `json:"endpoints"` // that follow
}

// SnapshotEndpoint is one endpoint of a snapshot.
type SnapshotEndpoint struct {
	ID      string `json:"id"`
	State   string `json:"state"`            // that events told
	Actual  string `json:"actual,omitempty"` // where events are still to tell of it
	Enabled bool   `json:"enabled"`
	Reason  string `json:"reason,omitempty"` // why it is offline

	Since        time.Time `json:"since,omitzero"`
	SessionSince time.Time `json:"session_since,omitzero"`
	LastHeard    time.Time `json:"last_heard,omitzero"`
	LastEnd      time.Time `json:"last_end,omitzero"`
	LastReason   string    `json:"last_reason,omitempty"`
	Resource     string    `json:"resource,omitempty"`
	RemoteAddr   string    `json:"remote_addr,omitempty"`
	Via          string    `json:"via,omitempty"`
	TLSVersion   string    `json:"tls_version,omitempty"`
	Intercepted  bool      `json:"intercepted,omitempty"` // TLS is opened on its way, as it says
}

// Probe asks an endpoint for a sign of life, which takes two seconds at most.
func (c *Client) Probe(ctx context.Context, id string) (out Probe, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: endpointPath(id, "/probe")}, &out)
	return out, err
}

// QueryPresence returns the presence of up to 10,000 endpoints.
func (c *Client) QueryPresence(ctx context.Context, ids []string) (out Presences, err error) {
	body := struct {
		IDs []string `json:"ids"`
	}{append([]string{}, ids...)}
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/v1/presence/query", body: body}, &out)
	return out, err
}

// TakeSnapshot calls each with every endpoint that f selects, whose Limit and Cursor do not count, and returns the head of the snapshot. It ends with the first error of
// each, and is an error if not all endpoints came.
func (c *Client) TakeSnapshot(ctx context.Context, f EndpointFilter, each func(SnapshotEndpoint) error) (head Snapshot, err error) {
	r := call{method: http.MethodGet, path: "/v1/presence/snapshot", query: query("state", f.State, "label", f.Label, "group", f.Group, "q", f.Search)}
	req, err := http.NewRequestWithContext(ctx, r.method, c.target(r), nil)
	if err != nil {
		return head, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	c.dress(req, r)
	req.Header.Set("Accept", "application/x-ndjson, application/problem+json")
	res, err := c.http.Do(req)
	if err != nil {
		return head, fmt.Errorf("call the API: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		return head, errors.Join(newProblem(res, data), err)
	}
	lines := json.NewDecoder(bufio.NewReader(res.Body))
	if err := lines.Decode(&head); err != nil {
		return head, fmt.Errorf("read the head of the snapshot: %w", err)
	}
	for n := range head.Endpoints {
		var e SnapshotEndpoint
		if err := lines.Decode(&e); err != nil {
			return head, fmt.Errorf("read endpoint %d of %d of the snapshot: %w", n+1, head.Endpoints, err)
		}
		if err := each(e); err != nil {
			return head, err
		}
	}
	return head, nil
}
