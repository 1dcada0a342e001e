package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// NewSession is a remote session to be opened. Endpoint, Technician.ID and Kinds are needed; everything else is as the server is configured where it is zero.
type NewSession struct {
	Endpoint    string      `json:"endpoint"`
	Technician  Technician  `json:"technician"`
	Why         string      `json:"why,omitempty"`
	Kinds       []string    `json:"kinds"`                 // desktop, terminal, files, processes
	Permissions []string    `json:"permissions,omitempty"` // terminal.type, ...; none: all that the kinds have
	Consent     *NewConsent `json:"consent,omitempty"`
	NotifyUser  *bool       `json:"notify_user,omitempty"`  // nil: true
	Transport   string      `json:"transport,omitempty"`    // auto, turn_only, websocket_only
	MaxDuration int         `json:"max_duration,omitempty"` // seconds
	MaxIdle     int         `json:"max_idle,omitempty"`     // seconds
	MaxBytes    int64       `json:"max_bytes,omitempty"`    // 0: no bound
}

// Technician is who takes part in a session.
type Technician struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// NewConsent says how the user at the endpoint is asked.
type NewConsent struct {
	Mode    string `json:"mode,omitempty"`    // none, ask_allow, ask_deny
	Timeout int    `json:"timeout,omitempty"` // seconds
	Message string `json:"message,omitempty"`
}

// SessionGrant lets a technician into a session, once. Nobody logs it.
type SessionGrant struct {
	ID             string      `json:"id"`
	State          string      `json:"state"`
	Endpoint       string      `json:"endpoint"`
	Technician     Technician  `json:"technician"`
	ExpiresAt      time.Time   `json:"expires_at"` // of the session
	Token          string      `json:"token"`
	TokenExpiresAt time.Time   `json:"token_expires_at"`
	ConsoleURL     string      `json:"console_url"` // for a browser; it holds the token
	SignallingURL  string      `json:"signalling_url"`
	ICEServers     []ICEServer `json:"ice_servers"`
}

// ICEServer is a STUN or TURN server.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Session is the record of a remote session.
type Session struct {
	ID           string     `json:"id"`
	State        string     `json:"state"` // requested, waiting_for_consent, connecting, active, reconnecting, ended
	Reason       string     `json:"reason,omitempty"`
	Detail       string     `json:"detail,omitempty"`
	Endpoint     string     `json:"endpoint"`
	Technician   Technician `json:"technician"`
	OpenedBy     string     `json:"opened_by"`
	Why          string     `json:"why,omitempty"`
	Kinds        []string   `json:"kinds"`
	Permissions  []string   `json:"permissions"`
	Consent      Consent    `json:"consent"`
	NotifyUser   bool       `json:"notify_user"`
	Transport    string     `json:"transport"`
	MaxDuration  int64      `json:"max_duration"`       // seconds
	MaxIdle      int64      `json:"max_idle,omitempty"` // seconds
	MaxBytes     int64      `json:"max_bytes,omitempty"`
	CreatedAt    time.Time  `json:"created_at"`
	ExpiresAt    time.Time  `json:"expires_at"`
	AcceptedAt   *time.Time `json:"accepted_at,omitempty"`
	ActiveAt     *time.Time `json:"active_at,omitempty"`
	EndedAt      *time.Time `json:"ended_at,omitempty"`
	Path         string     `json:"path,omitempty"` // direct, turn_udp, turn_tcp, turn_tls, relay
	Capabilities []string   `json:"capabilities"`
	BytesUp      int64      `json:"bytes_up"`
	BytesDown    int64      `json:"bytes_down"`
	TURNSession  string     `json:"turn_session,omitempty"` // id of its TURN session; empty: it has none
}

// Consent says how the user was asked, and what came of it.
type Consent struct {
	Mode    string `json:"mode"`
	Timeout int64  `json:"timeout"` // seconds
	Message string `json:"message,omitempty"`
	State   string `json:"state,omitempty"`
	Desktop string `json:"desktop,omitempty"`
}

// SessionLimits changes the limits of a session; nil ones stay.
type SessionLimits struct {
	MaxDuration *int   `json:"max_duration,omitempty"` // seconds from its begin
	MaxIdle     *int   `json:"max_idle,omitempty"`     // seconds
	MaxBytes    *int64 `json:"max_bytes,omitempty"`
}

// SessionFilter selects remote sessions. The zero value selects the first page of all.
type SessionFilter struct {
	State      string // one of those of Session.State, or open; empty: any
	Endpoint   string
	Technician string // id
	Limit      int    // 1..500; 0: 100
	Cursor     string // Next of the page before
}

const sessions = "/v1/sessions"

// OpenSession opens a remote session. The request is not repeated once it may have arrived.
func (c *Client) OpenSession(ctx context.Context, n NewSession) (out SessionGrant, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: sessions, body: n}, &out)
	return out, err
}

// Sessions returns a page of remote sessions, the newest first.
func (c *Client) Sessions(ctx context.Context, f SessionFilter) (out Page[Session], err error) {
	q := given(map[string]string{"state": f.State, "endpoint": f.Endpoint, "technician": f.Technician, "cursor": f.Cursor}, f.Limit)
	_, err = c.do(ctx, call{method: http.MethodGet, path: sessions, query: q}, &out)
	return out, err
}

// given makes a query of the values that are not empty.
func given(values map[string]string, limit int) url.Values {
	q := url.Values{}
	for name, v := range values {
		if v != "" {
			q.Set(name, v)
		}
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}

// Session returns one remote session.
func (c *Client) Session(ctx context.Context, id string) (out Session, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: sessions + "/" + url.PathEscape(id)}, &out)
	return out, err
}

// ChangeSession changes the limits of a remote session and returns it.
func (c *Client) ChangeSession(ctx context.Context, id string, l SessionLimits) (out Session, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, path: sessions + "/" + url.PathEscape(id), body: l}, &out)
	return out, err
}

// RenewSession makes a new token for the technician of a session, and new ICE servers.
func (c *Client) RenewSession(ctx context.Context, id string) (out SessionGrant, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: sessions + "/" + url.PathEscape(id) + "/credentials"}, &out)
	return out, err
}

// EndSession ends a remote session and returns it as it ended.
func (c *Client) EndSession(ctx context.Context, id string) (out Session, err error) {
	_, err = c.do(ctx, call{method: http.MethodDelete, path: sessions + "/" + url.PathEscape(id)}, &out)
	return out, err
}
