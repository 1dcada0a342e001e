// Package remote is the endpoint's side of remote sessions: it believes nothing but grants that its own server has signed, asks the user, lets the technician reach what the
// grant and the endpoint's own configuration allow, and ends sessions by itself when their time is over, the user wants it, or nobody comes back.
package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/peer"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
)

// Bounds of what is remembered.
const (
	maxEnded  = 256 // sessions that have ended and whose grants have not expired
	maxUnsaid = 64  // ends that the server is still to be told of
)

// Why a message is not taken.
var (
	ErrUnknown = errors.New("no such session runs here")
	ErrFlood   = errors.New("more messages came than are handled")
	ErrStopped = errors.New("the agent stops")
)

// Options is what a Manager needs of others.
type Options struct {
	// Open opens a grant as signalling.Open does, for this endpoint and with the server's key that it knows. Every error refuses the session.
	Open func(text string, now time.Time) (signalling.Grant, error)
	// Capabilities are what technicians can do here.
	Capabilities []capability.Capability
	// Consent asks the user.
	Consent Consent
	// Dial connects to TURN servers, see peer.Config.
	Dial peer.Dial
	// Relay opens this end of a channel through the relay. The URL is one that the grant allows.
	Relay func(ctx context.Context, url string) (channel.Conn, error)
	// Doubt says that a technician is not reached any more, for whoever can find out whether the server still is. It must not block. Nil: nobody can.
	Doubt func()
}

// Manager runs the remote sessions of an endpoint. Its methods may be called concurrently.
type Manager struct {
	// Set at construction.
	cfg    Config
	o      Options
	log    *zap.Logger
	life   context.Context // of all sessions
	cancel context.CancelFunc
	runs   sync.WaitGroup // sessions

	mu       sync.Mutex
	stopped  bool
	send     func(signalling.Message) // to the server; nil: it is not there
	gone     time.Time                // since when it is not
	sessions map[string]*session
	ended    map[string]time.Time // id -> when its grant expires
	unsaid   []signalling.End
}

// New makes a Manager that takes messages at once; Run ends it.
func New(cfg Config, o Options, log *zap.Logger) *Manager {
	life, cancel := context.WithCancel(context.Background())
	return &Manager{cfg: cfg, o: o, log: log.Named("remote"), life: life, cancel: cancel, gone: time.Now(), sessions: map[string]*session{}, ended: map[string]time.Time{}}
}

// Run waits for ctx, ends all sessions and returns when nothing of them is left.
func (m *Manager) Run(ctx context.Context) {
	<-ctx.Done()
	m.mu.Lock()
	m.stopped = true
	all := m.allLocked()
	m.mu.Unlock()
	for _, s := range all {
		s.finish(ending{reason: endpointEnded, detail: "the agent stops"})
	}
	m.runs.Wait()
	m.cancel()
}

func (m *Manager) allLocked() []*session {
	all := make([]*session, 0, len(m.sessions))
	for _, s := range m.sessions {
		all = append(all, s)
	}
	return all
}

// Online takes what sends a message to the server, which must not block, after each login. The server hears which sessions go on, and which have ended meanwhile.
func (m *Manager) Online(send func(signalling.Message)) {
	m.mu.Lock()
	m.send = send
	unsaid, all := m.unsaid, m.allLocked()
	m.unsaid = nil
	m.mu.Unlock()
	for _, e := range unsaid {
		send(e)
	}
	for _, s := range all {
		s.put(s.returned)
	}
}

// Offline says that the server cannot be reached. Sessions go on without it.
func (m *Manager) Offline() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.send, m.gone = nil, time.Now()
}

// offline reports since when the server cannot be reached.
func (m *Manager) offline() (since time.Time, is bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone, m.send == nil
}

// say sends a message to the server, if it is there. An End is kept until it is.
func (m *Manager) say(msg signalling.Message) {
	m.mu.Lock()
	send := m.send
	if e, ok := msg.(signalling.End); ok && send == nil && len(m.unsaid) < maxUnsaid {
		m.unsaid = append(m.unsaid, e)
	}
	m.mu.Unlock()
	if send != nil {
		send(msg)
	}
}

// doubt has others find out whether the server is there.
func (m *Manager) doubt() {
	if m.o.Doubt != nil {
		m.o.Doubt()
	}
}

// Take takes a message of the server, and does not block. The error is ErrUnknown, ErrFlood or ErrStopped.
func (m *Manager) Take(msg signalling.Message) error {
	if o, ok := msg.(signalling.Offer); ok {
		return m.offered(o)
	}
	m.mu.Lock()
	s := m.sessions[msg.SessionID()]
	m.mu.Unlock()
	if s == nil {
		return ErrUnknown
	}
	if !s.put(func() { s.take(msg) }) {
		return ErrFlood
	}
	return nil
}

// Gone says that the server knows a session no more.
func (m *Manager) Gone(id string) {
	m.mu.Lock()
	s := m.sessions[id]
	m.mu.Unlock()
	if s != nil {
		s.finish(ending{reason: endpointLost, detail: "the server does not know the session any more", said: true})
	}
}

// Session is one that runs, for who asks at the endpoint itself.
type Session struct {
	ID         string
	Technician signalling.Technician
	Why        string
	Kinds      []string
	Began      time.Time
	Expires    time.Time
	Accepted   bool // the user was asked, or need not be
}

// Sessions returns those that run, the oldest first.
func (m *Manager) Sessions() []Session {
	m.mu.Lock()
	all := m.allLocked()
	m.mu.Unlock()
	out := make([]Session, 0, len(all))
	for _, s := range all {
		out = append(out, Session{
			ID: s.grant.ID, Technician: s.grant.Technician, Why: s.grant.Why, Kinds: slices.Clone(s.kinds), Began: s.began, Expires: s.limits.Load().Expires, Accepted: s.accepted.Load(),
		})
	}
	slices.SortFunc(out, func(a, b Session) int {
		if c := a.Began.Compare(b.Began); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// End ends a session as a user at the endpoint wants it, also while the server cannot be reached, and returns false if there is none. user is a name, for the log and the audit; empty: not known.
func (m *Manager) End(id, user string) bool {
	m.mu.Lock()
	s := m.sessions[id]
	m.mu.Unlock()
	if s == nil {
		return false
	}
	detail := "the user at the endpoint ended it"
	if user != "" {
		detail = fmt.Sprintf("the user %s at the endpoint ended it", user)
	}
	s.finish(ending{reason: userEnded, detail: detail})
	return true
}

// left forgets a session that has ended, but that it has.
func (m *Manager) left(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions[s.grant.ID] == s {
		delete(m.sessions, s.grant.ID)
	}
	m.rememberLocked(s.grant.ID, s.limits.Load().Expires, time.Now())
}

func (m *Manager) rememberLocked(id string, expires, now time.Time) {
	for old, until := range m.ended {
		if now.After(until) {
			delete(m.ended, old)
		}
	}
	if len(m.ended) >= maxEnded { // the one that is over first
		first := ""
		for old, until := range m.ended {
			if first == "" || until.Before(m.ended[first]) {
				first = old
			}
		}
		delete(m.ended, first)
	}
	m.ended[id] = expires
}

// logRefusal says that an offer was not taken.
func (m *Manager) logRefusal(id, reason, detail string) {
	m.log.Warn("remote session refused", telemetry.RemoteSession(id), telemetry.Reason(reason), telemetry.Detail(detail))
}
