package diagnosis

import (
	"context"
	"errors"
	"time"

	"signalbox/internal/endpoint"
)

// ErrUnknownPush says that there is no push of an id.
var ErrUnknownPush = errors.New("unknown push")

// Endpoints reads endpoints with their presence as it is now. It may be called concurrently.
type Endpoints interface {
	// Endpoint returns one endpoint, or endpoint.ErrUnknown.
	Endpoint(ctx context.Context, k endpoint.Key) (endpoint.Record, error)
}

// Flow is how pushes reach an endpoint that has a session here.
type Flow struct {
	Available bool // it said that it takes pushes
	Detached  bool // its connection is lost, and its session can be resumed
	Stalled   bool // its session took no more the last time
	OnWay     int  // pushes that were sent and have no receipt
	Window    int  // as many may be on the way
}

// Flows knows the sessions of this node. It may be called concurrently and never blocks.
type Flows interface {
	// Flow is false for an endpoint without a session.
	Flow(k endpoint.Key) (Flow, bool)
}

// Certificate is what a client is shown that asks for a server name.
type Certificate struct {
	Names       []string
	From, Until time.Time
}

// Server knows the state of this server. It may be called concurrently.
type Server interface {
	// Certificate returns what who asks for this name is shown; the empty name is one that asks for none.
	Certificate(serverName string) Certificate
	// Closed returns why endpoints cannot connect; empty: they can.
	Closed() string
	// Draining returns since when this server sends its endpoints away; the zero time: it does not.
	Draining() time.Time
	// Unwritable returns why the store takes no writes; empty: it does.
	Unwritable(ctx context.Context) string
}

// Management is how far the management server knows what happened. The zero value means that it knows everything.
type Management struct {
	Host    string
	Code    string    // of the catalogue: why it is not told, or told late; empty: it is told
	Cause   string    // of that, as a part of a sentence
	Since   time.Time // since when that is so
	Next    time.Time // when the next try is due
	Waiting int       // events that it has not taken, at most
	Aside   int       // events that it refuses while it takes others, or that follow such; of the endpoint, where one is asked for
	Oldest  time.Time // of them; zero: none waits
	Told    time.Time // when it last took one; zero: never
}

// facts are what sentences may say of the management server.
func (m Management) facts() facts {
	when := ", since " + stamp(m.Since)
	if !m.Next.IsZero() {
		when += ", with the next try at " + stamp(m.Next)
	}
	return facts{"id": "anything", "host": m.Host, "cause": m.Cause, "when": when, "count": counted(m.Waiting, "event"), "since": stamp(m.Oldest), "aside": counted(m.Aside, "event")}
}

// Managements knows the management server. It may be called concurrently.
type Managements interface {
	// Management is false where none is configured. The zero key asks for no endpoint.
	Management(ctx context.Context, k endpoint.Key) (Management, bool)
}

// Deps are the parts that know what happened. Only Management may be nil: no management server is told anything.
type Deps struct {
	Domain     string
	Memory     *Memory
	Endpoints  Endpoints
	Flows      Flows
	Pushes     Pushes
	Events     Events
	Server     Server
	Management Managements
}

// Service answers why. All methods may be called concurrently; they read and change nothing.
type Service struct{ deps Deps }

// New returns a service; it starts nothing.
func New(deps Deps) *Service { return &Service{deps} }

// LastHour returns what was refused in the last hour, the most frequent first.
func (s *Service) LastHour() []Count { return s.deps.Memory.LastHour() }

// Management returns how far the management server knows what happened, to an endpoint or, with the zero key, in general; false where none is configured.
func (s *Service) Management(ctx context.Context, k endpoint.Key) (Management, bool) {
	if s.deps.Management == nil {
		return Management{}, false
	}
	return s.deps.Management.Management(ctx, k)
}

// Tell says why the management server is not told, or told late; the zero Finding: it is told.
func Tell(m Management) Finding { return m.facts().finding(m.code()) }

// code is why the management server is not told, or told late; empty: it is told.
func (m Management) code() string {
	if m.Code == "" && m.Aside > 0 {
		return "events_set_aside"
	}
	return m.Code
}

func (s *Service) key(id string) endpoint.Key { return endpoint.Key{Domain: s.deps.Domain, ID: id} }

// stamp is a time as sentences have it.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format(time.RFC3339)
}
