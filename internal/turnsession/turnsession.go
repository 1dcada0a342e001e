// Package turnsession opens sessions in which two sides reach each other through our TURN server, keeps a record of each, and ends it when its time is over.
package turnsession

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"signalbox/internal/endpoint"
)

// Bounds of sessions.
const (
	MinTTL         = time.Second
	DefaultTTL     = 5 * time.Minute
	MaxTTL         = 24 * time.Hour
	MaxPeers       = 16      // entries of Spec.AllowPeers
	MaxTechnician  = 64      // bytes
	MaxAllocations = 1000    // of one session
	MaxRate        = 1 << 40 // bytes per second
	MaxOpen        = 20000   // sessions that are open at the same time
)

// Side is one of the two that a session joins.
type Side uint8

// The sides.
const (
	A Side = iota
	B
)

// String returns "a" or "b".
func (s Side) String() string { return string('a' + rune(s)) }

// Other returns the other side.
func (s Side) Other() Side { return 1 - s }

// Spec says what a session is for.
type Spec struct {
	TTL            time.Duration  // MinTTL to MaxTTL
	AllowPeers     []netip.Prefix // that both sides may reach beside each other, up to MaxPeers; what the server denies everybody stays denied
	Endpoints      [2]string      // ids of the endpoints whose sides they are; empty: nobody's
	Technician     string         // on whose account it goes, up to MaxTechnician bytes; empty: nobody's
	MaxAllocations int            // at the same time, up to MaxAllocations; 0: as the TURN server is configured
	Rate           int64          // bytes per second, up to MaxRate; 0: as the TURN server is configured
}

// Caller is who opened a session.
type Caller struct {
	TokenID string
	Name    string // of the token
}

// Session is the record of one session.
type Session struct {
	ID     ID
	Domain string
	Spec
	By      Caller
	Created time.Time
	Expires time.Time
	Ended   time.Time // when that was noted; zero: it is open
	Reason  string    // why it ended

	Counters Counters
	Counted  time.Time // when the counters were taken; zero: never
}

// Open reports whether the session has not ended.
func (s *Session) Open() bool { return s.Ended.IsZero() }

// Party returns the endpoint whose side it is; false: nobody's.
func (s *Session) Party(side Side) (endpoint.Key, bool) {
	id := s.Endpoints[side]
	return endpoint.Key{Domain: s.Domain, ID: id}, id != ""
}

// Why sessions end.
const (
	ReasonRequested = "requested"        // somebody asked for it
	ReasonExpired   = "expired"          // its time was over
	ReasonStopping  = "server_stopping"  // the server stopped, and its TURN server with it
	ReasonRestarted = "server_restarted" // the server ended without a word; counters are those that it noted last
	ReasonNotOpened = "not_opened"       // the answer with its credentials could not be given
)

// Reasons returns all of them.
func Reasons() []string {
	return []string{ReasonRequested, ReasonExpired, ReasonStopping, ReasonRestarted, ReasonNotOpened}
}

// End is the end of a session.
type End struct {
	At       time.Time
	Reason   string
	Counters *Counters // nil: those that were noted last stay
	Counted  time.Time
}

// Count is what a session has moved up to a time.
type Count struct {
	ID       ID
	Counters Counters
	At       time.Time
}

// Errors of sessions.
var (
	ErrOff         = errors.New("there is no TURN server")
	ErrUnavailable = errors.New("the TURN server does not answer")
	ErrUnknown     = errors.New("unknown TURN session")
	ErrEnded       = errors.New("the TURN session has ended")
	ErrTooMany     = errors.New("too many TURN sessions are open")
)

// Store is durable storage of sessions. All methods may be called concurrently.
type Store interface {
	// CreateTURNSession keeps a session that was opened, with its event.
	CreateTURNSession(ctx context.Context, s Session) error
	// EndTURNSession notes the end of a session, with its event, unless it has ended before, and returns the session after it, or ErrUnknown.
	EndTURNSession(ctx context.Context, id ID, e End) (Session, error)
	// SaveTURNCounters notes what sessions have moved that are open.
	SaveTURNCounters(ctx context.Context, counts []Count) error
	// TURNSession returns one, or ErrUnknown.
	TURNSession(ctx context.Context, domain string, id ID) (Session, error)
	// TURNSessions returns up to limit sessions, the newest first, before the given id (0: from the newest), in one state or in all.
	TURNSessions(ctx context.Context, q Query) ([]Session, error)
	// OpenTURNSessions returns the ids of those that are open.
	OpenTURNSessions(ctx context.Context) ([]ID, error)
	// Endpoint returns an endpoint, or endpoint.ErrUnknown.
	Endpoint(ctx context.Context, k endpoint.Key) (endpoint.Record, error)
}

// Query selects sessions of one domain, the newest first.
type Query struct {
	Domain string
	State  State // empty: any
	Before ID    // 0: from the newest
	Limit  int
}

// State is a session's state in one word.
type State string

// The states.
const (
	StateOpen  State = "open"
	StateEnded State = "ended"
)

// State returns the state.
func (s *Session) State() State {
	if s.Open() {
		return StateOpen
	}
	return StateEnded
}

// Grant is what the TURN server must know of a session.
type Grant struct {
	ID             ID
	Expires        time.Time
	Technician     string
	AllowPeers     []netip.Prefix
	Observed       [2]netip.Addr // by side: where the other side's endpoint was seen; zero: nowhere
	MaxAllocations int           // 0: as it is configured
	Rate           int64         // bytes per second; 0: as it is configured
}

// Credentials let one side make allocations. Nobody logs them.
type Credentials struct {
	Username string
	Password string
	URLs     []string  // of RFC 7065
	Expires  time.Time // for new allocations; those that there are go on until the session ends
}

// TURN is the TURN server, which may be another process. All methods may be called concurrently.
type TURN interface {
	// Open has the server serve a session until End, also after a restart of that server. Opened again, the session changes.
	Open(ctx context.Context, g Grant) error
	// End silences the whole session before it returns its last counters. Whatever comes of it, the session is not served any more.
	End(ctx context.Context, id ID, reason string) (Counters, error)
	// Counters returns what the session has moved.
	Counters(ctx context.Context, id ID) (Counters, error)
	// Credentials makes those of one side of a session that is served; they end before it, or with it. It does not block.
	Credentials(id ID, s Side) Credentials
}

// Sightings tells where endpoints are seen. endpoint.Registry implements it.
type Sightings interface {
	// Session returns the leading session of an endpoint that has any.
	Session(k endpoint.Key) (endpoint.Session, bool)
}
