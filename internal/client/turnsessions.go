package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// NewTURNSession is a TURN session to be opened. The zero value is one of five minutes for nobody in particular.
type NewTURNSession struct {
	TTL            int          `json:"ttl,omitempty"`         // seconds; 0: 300
	AllowPeers     []string     `json:"allow_peers,omitempty"` // addresses and ranges, up to 16
	Endpoints      *TURNParties `json:"endpoints,omitempty"`
	Technician     string       `json:"technician,omitempty"`
	MaxAllocations int          `json:"max_allocations,omitempty"` // 0: as the server is configured
	Rate           int64        `json:"rate,omitempty"`            // bytes per second; 0: as the server is configured
}

// TURNParties are the endpoints whose sides of a session they are; empty: nobody's.
type TURNParties struct {
	A string `json:"a,omitempty"`
	B string `json:"b,omitempty"`
}

// TURNGrant is what the sides of a session need.
type TURNGrant struct {
	ID        string    `json:"id"`
	Sides     TURNSides `json:"sides"`
	ExpiresAt time.Time `json:"expires_at"` // of the session
}

// TURNSides are the two sides of a session.
type TURNSides struct {
	A TURNCredentials `json:"a"`
	B TURNCredentials `json:"b"`
}

// TURNCredentials are those of one side; URLs, Username and Credential are an ICE server as browsers take it.
type TURNCredentials struct {
	URLs       []string  `json:"urls"`
	Username   string    `json:"username"`
	Credential string    `json:"credential"`
	ExpiresAt  time.Time `json:"expires_at"` // for new allocations
}

// TURNSession is the record of a session.
type TURNSession struct {
	ID             string        `json:"id"`
	State          string        `json:"state"`            // open, ended
	Reason         string        `json:"reason,omitempty"` // why it ended
	OpenedBy       string        `json:"opened_by"`        // name of the token
	Technician     string        `json:"technician,omitempty"`
	Endpoints      *TURNParties  `json:"endpoints,omitempty"`
	AllowPeers     []string      `json:"allow_peers"`
	MaxAllocations int           `json:"max_allocations,omitempty"`
	Rate           int64         `json:"rate,omitempty"`
	CreatedAt      time.Time     `json:"created_at"`
	ExpiresAt      time.Time     `json:"expires_at"`
	EndedAt        *time.Time    `json:"ended_at,omitempty"`
	Counters       *TURNCounters `json:"counters,omitempty"` // nil: nothing was counted yet
	CountedAt      *time.Time    `json:"counted_at,omitempty"`
}

// TURNCounters are what a session has moved. Up is from clients of the TURN server to their peers.
type TURNCounters struct {
	Allocations     uint64            `json:"allocations"`      // made
	OpenAllocations uint64            `json:"open_allocations"` // there now
	PacketsUp       uint64            `json:"packets_up"`
	PacketsDown     uint64            `json:"packets_down"`
	BytesUp         uint64            `json:"bytes_up"`
	BytesDown       uint64            `json:"bytes_down"`
	Drops           map[string]uint64 `json:"drops"`         // packets by reason
	RefusedPeers    map[string]uint64 `json:"refused_peers"` // by address
}

// TURNSessionFilter selects sessions. The zero value selects the first page of all.
type TURNSessionFilter struct {
	State  string // open, ended; empty: any
	Limit  int    // 1..500; 0: 100
	Cursor string // Next of the page before
}

const turnSessions = "/v1/turn/sessions"

// OpenTURNSession opens a session. The request is not repeated once it may have arrived.
func (c *Client) OpenTURNSession(ctx context.Context, n NewTURNSession) (out TURNGrant, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: turnSessions, body: n}, &out)
	return out, err
}

// TURNSessions returns a page of sessions, the newest first.
func (c *Client) TURNSessions(ctx context.Context, f TURNSessionFilter) (out Page[TURNSession], err error) {
	q := url.Values{}
	for name, v := range map[string]string{"state": f.State, "cursor": f.Cursor} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	_, err = c.do(ctx, call{method: http.MethodGet, path: turnSessions, query: q}, &out)
	return out, err
}

// TURNSession returns one session with its counters as they are now.
func (c *Client) TURNSession(ctx context.Context, id string) (out TURNSession, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: turnSessions + "/" + url.PathEscape(id)}, &out)
	return out, err
}

// RenewTURNCredentials makes new credentials for both sides of a session.
func (c *Client) RenewTURNCredentials(ctx context.Context, id string) (out TURNGrant, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: turnSessions + "/" + url.PathEscape(id) + "/credentials"}, &out)
	return out, err
}

// EndTURNSession ends a session and returns it with its final counters.
func (c *Client) EndTURNSession(ctx context.Context, id string) (out TURNSession, err error) {
	_, err = c.do(ctx, call{method: http.MethodDelete, path: turnSessions + "/" + url.PathEscape(id)}, &out)
	return out, err
}
