package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Finding is something that was found out, in one sentence, with what to do in another.
type Finding struct {
	Code    string `json:"code"` // stable; all stand in DIAGNOSIS.md
	Summary string `json:"summary"`
	Action  string `json:"action"`
}

// Diagnosis says why an endpoint is or is not online.
type Diagnosis struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	State string    `json:"state"` // online, offline, never
	OK    bool      `json:"ok"`    // nothing is wrong
	Finding
	Steps    []Rung     `json:"steps"` // the ladder, from its foot
	Also     []Finding  `json:"also,omitempty"`
	Attempts []Sighting `json:"attempts"`
}

// Rung is one step on the way of an endpoint to being seen online.
type Rung struct {
	Step    string    `json:"step"`   // dns, tcp, proxy, tls, stream, auth, bind, presence, event
	Result  string    `json:"result"` // ok, failed, unknown, not_reached
	At      time.Time `json:"at,omitzero"`
	Code    string    `json:"code,omitempty"`
	Address string    `json:"address,omitempty"`
	Detail  string    `json:"detail,omitempty"`
}

// Sighting is a connection that became no session.
type Sighting struct {
	At         time.Time `json:"at"`
	First      time.Time `json:"first"`
	Count      int       `json:"count"`
	Code       string    `json:"code"`
	Address    string    `json:"address"`
	By         string    `json:"by"` // name, or address: from where the endpoint was last seen
	Others     int       `json:"others,omitempty"`
	Listener   string    `json:"listener,omitempty"`
	ServerName string    `json:"server_name,omitempty"`
	ALPN       string    `json:"alpn,omitempty"`
	TLSVersion string    `json:"tls_version,omitempty"`
	Mechanism  string    `json:"mechanism,omitempty"`
	To         string    `json:"to,omitempty"`
	Cause      string    `json:"cause,omitempty"`
}

// Timeline is a page of what happened to an endpoint.
type Timeline struct {
	Items         []TimelineEntry `json:"items"`                   // the newest first
	Next          string          `json:"next,omitempty"`          // cursor of the next page; empty: this is the last one
	CompleteSince time.Time       `json:"complete_since,omitzero"` // before it things may be missing; zero: nothing is
}

// TimelineEntry is one thing that happened.
type TimelineEntry struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Summary string    `json:"summary"`
	Code    string    `json:"code,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Push    string    `json:"push,omitempty"`
	Address string    `json:"address,omitempty"`
	Count   int       `json:"count"`
}

// Explanation says why a push is in its state.
type Explanation struct {
	ID    string `json:"id"`
	To    string `json:"to,omitempty"`    // empty: it is to many
	State string `json:"state,omitempty"` // empty: it is to many
	Done  bool   `json:"done"`
	Finding
	WaitingSince time.Time      `json:"waiting_since,omitzero"`
	WaitingUntil time.Time      `json:"waiting_until,omitzero"`
	Ahead        int            `json:"ahead"`              // pushes that go out before it
	Endpoint     *Finding       `json:"endpoint,omitempty"` // why its endpoint takes nothing
	History      []PushPhase    `json:"history,omitempty"`
	Targets      int            `json:"targets,omitempty"`
	Counts       map[string]int `json:"counts,omitempty"`
	Groups       []TargetGroup  `json:"groups,omitempty"` // of targets that are not done as they should
}

// PushPhase is a state with the time that a push spent in it.
type PushPhase struct {
	PushChange
	Seconds float64 `json:"seconds"`
}

// TargetGroup is targets that are in one state for one reason.
type TargetGroup struct {
	State   string `json:"state"`
	Count   int    `json:"count"`
	Partial bool   `json:"partial,omitempty"` // there may be more
	Example string `json:"example"`           // one of the endpoints
	Push    string `json:"push"`              // its push
	Finding
}

// DoctorCheck is one look at the running server, as signalbox doctor prints it.
type DoctorCheck struct {
	Step    string `json:"step"`
	Check   string `json:"check"`
	OK      bool   `json:"ok"`
	Warning bool   `json:"warning"`
	Detail  string `json:"detail"`
	Action  string `json:"action"`
}

// Diagnosis says why an endpoint is or is not online.
func (c *Client) Diagnosis(ctx context.Context, id string) (out Diagnosis, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: endpointPath(id, "/diagnosis")}, &out)
	return out, err
}

// Timeline returns a page of what happened to an endpoint; limit 0 is 100, an empty cursor is the newest.
func (c *Client) Timeline(ctx context.Context, id, cursor string, limit int) (out Timeline, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: endpointPath(id, "/timeline"), query: query("cursor", cursor, "limit", number(limit))}, &out)
	return out, err
}

// ExplainPush says why a push is in its state.
func (c *Client) ExplainPush(ctx context.Context, id string) (out Explanation, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/pushes/" + url.PathEscape(id) + "/explain"}, &out)
	return out, err
}

// Doctor examines the running server; a check that finds something wrong is no error.
func (c *Client) Doctor(ctx context.Context) ([]DoctorCheck, error) {
	var out struct {
		Checks []DoctorCheck `json:"checks"`
	}
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/doctor"}, &out)
	return out.Checks, err
}
