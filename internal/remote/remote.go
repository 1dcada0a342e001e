// Package remote is the broker of remote sessions: it asks an endpoint on a technician's behalf, carries what the two say to each other until they have a way of their own,
// gives a lost party time to come back, ends what has reached its limits, and leaves a record and audit of everything.
package remote

import (
	"errors"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/id"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

// SignalPath is where the technician's WebSocket is served by HTTP on 443.
const SignalPath = "/console/signal"

// ID names a session; what is opened later has the greater id, see id.Next.
type ID int64

const idPrefix = "ses_"

// ErrID says that a text is not the id of a session.
var ErrID = errors.New("not the id of a remote session")

// String returns the id as API and signalling show it: "ses_" and 13 digits that sort like the number.
func (n ID) String() string { return id.Format(idPrefix, int64(n)) }

// ParseID reads what String wrote, or returns ErrID.
func ParseID(text string) (ID, error) {
	n, ok := id.Parse(idPrefix, text)
	if !ok {
		return 0, ErrID
	}
	return ID(n), nil
}

// State is a session's state in one word.
type State string

// The states. Where a session is accepted, Reconnecting takes the place of Connecting and Active while a party is away.
const (
	Requested    State = "requested"           // the endpoint was asked, and has not answered
	Waiting      State = "waiting_for_consent" // the endpoint asks its user
	Connecting   State = "connecting"          // accepted; the parties look for a way to each other
	Active       State = "active"              // they have found one
	Reconnecting State = "reconnecting"        // a party was lost, and has signalling.ReturnWithin to come back
	Ended        State = "ended"               // for good
)

// States returns all of them.
func States() []State { return []State{Requested, Waiting, Connecting, Active, Reconnecting, Ended} }

// Spec says what a session is for. Zero values take the defaults of Config.
type Spec struct {
	Endpoint    string                // id
	Technician  signalling.Technician // who takes part; the id is up to turnsession.MaxTechnician bytes, the name up to MaxName
	Why         string                // for the audit and the user, up to MaxText bytes
	Kinds       []string              // of channels; at least one
	Permissions []string              // within the kinds; empty: all of them
	Consent     signalling.ConsentMode
	NotifyUser  bool   // whether the user is shown that a session runs
	Transport   string // signalling.TransportAuto ...
	MaxDuration time.Duration
	MaxIdle     time.Duration // without anything from the technician; 0: Config.MaxIdle, which may be none
	MaxBytes    int64         // through the relay; 0: no bound
}

// Caller is who asked for something: an API token, or an account of the console.
type Caller struct {
	Token string `json:"token,omitempty"` // id of the API token; empty: an account
	Name  string `json:"name"`            // of the token or account
}

// Session is the record of one session.
type Session struct {
	ID     ID
	Domain string
	Spec
	By     Caller
	State  State
	Reason string // name of the Reason of its end
	Detail string // a sentence more about that, in a party's own words; up to MaxText bytes

	Created  time.Time
	Accepted time.Time // by the endpoint; zero: never
	Active   time.Time // when the parties first had a way to each other; zero: never
	Ended    time.Time // zero: it is open
	Expires  time.Time

	Consent      string   // the last signalling.Consent.State
	Desktop      string   // the last signalling.Consent.Desktop
	Rung         string   // by which they reach each other, or did last: signalling.RungDirect ...
	Capabilities []string // channels that the endpoint has
	BytesUp      int64    // from technician to endpoint
	BytesDown    int64

	Turn       turnsession.ID // its place on the TURN server; 0: none
	TurnBefore []Place        // those that it had before, the oldest first, up to MaxTURNBefore; nobody changes what is in the list
	Secrets    Secrets
}

// Open reports whether the session has not ended.
func (s *Session) Open() bool { return s.State != Ended }

// Secrets are hashes of what a technician shows to attach. They are stored, and never shown.
type Secrets struct {
	Token        audit.Hash `json:"token"`         // of the newest token
	TokenExpires time.Time  `json:"token_expires"` // for its one use
	TokenUsed    bool       `json:"token_used"`
	Return       audit.Hash `json:"return"` // of what the technician got last to come back with
	Before       audit.Hash `json:"before"` // of the one before, which counts until the technician has shown that the last one arrived
}

// Opened is a session with what lets its technician in, once. Nobody logs it.
type Opened struct {
	Session
	Token        string
	TokenExpires time.Time
	Servers      []signalling.ICEServer // for the technician
}

// Change changes the limits of an open session; nil fields stay as they are.
type Change struct {
	MaxDuration *time.Duration
	MaxIdle     *time.Duration
	MaxBytes    *int64
}

// Query selects sessions of one domain, the newest first.
type Query struct {
	Domain     string
	State      State  // empty: any
	Open       bool   // those alone that have not ended
	Endpoint   string // id; empty: any
	Technician string // id; empty: any
	Before     ID     // 0: from the newest
	Limit      int
}
