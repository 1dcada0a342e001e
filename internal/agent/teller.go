package agent

import (
	"crypto/tls"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/path"
	"signalbox/internal/agent/status"
	"signalbox/internal/telemetry"
)

// refreshInterval is how old the counts in the status file may be.
const refreshInterval = 15 * time.Second

// teller keeps the status file. Its methods may be called concurrently.
type teller struct {
	// Set at construction.
	dir    string
	log    *zap.Logger
	pushes func() status.Pushes

	mu     sync.Mutex
	status status.Status
	broken bool // the newest write failed
}

func newTeller(a *Agent, now time.Time) *teller {
	return &teller{dir: a.cfg.StateDir, log: a.log, pushes: a.pushes, status: status.Status{
		PID: os.Getpid(), Version: a.version, Endpoint: a.login.JID.String(), Started: now, State: status.Connecting, Since: now,
		Attempts: []status.Attempt{}, Handlers: append([]string{}, sortedKeys(a.cfg.Handlers)...),
	}}
}

// attempted notes one try on one way.
func (t *teller) attempted(r path.Route, reached ladder.Step, began time.Time, err error) {
	attempt := status.Attempt{At: began.UTC(), Route: r.String(), Reached: reached, TookMS: time.Since(began).Milliseconds()}
	if f := ladder.Of(err); f != nil {
		attempt.Code = f.Code
	}
	t.change(func(s *status.Status) { s.Note(attempt) })
}

// online notes a session that takes pushes.
func (t *teller) online(st *session, keepalive time.Duration) {
	now := time.Now().UTC()
	through := status.Through{
		JID: st.stream.JID.String(), Address: st.route.Address, Direct: st.route.Direct, Via: st.route.Via(), Remote: st.stream.Conn.RemoteAddr().String(),
		TLS: tls.VersionName(st.stream.TLS.Version), Keepalive: keepalive.String(), Learned: keepalive < st.agent.cfg.Keepalive, Resumed: st.stream.Resumed,
		WebSocket: st.route.WebSocket, Proven: st.stream.Proven, Intercepted: st.stream.Intercepted,
	}
	known := st.agent.ways.Known()
	t.change(func(s *status.Status) {
		s.State, s.Since, s.Through, s.LastOnline, s.NextAttempt = status.Online, now, &through, &now, nil
		s.Ways = known
	})
}

// offline notes why there is no session, and when the next attempt is due.
func (t *teller) offline(f *ladder.Failure, route string, pause time.Duration) {
	now := time.Now().UTC()
	next := now.Add(pause)
	t.change(func(s *status.Status) {
		if s.State == status.Online {
			s.Since, s.LastOnline = now, &now
		}
		s.State, s.NextAttempt = status.Offline, &next
		s.LastFailure = &status.Failure{At: now, Route: route, Detail: f.Seen(), Reason: f.Reason}
	})
}

func (t *teller) connecting() {
	t.change(func(s *status.Status) { s.State, s.NextAttempt = status.Connecting, nil })
}

func (t *teller) stopped() {
	now := time.Now().UTC()
	t.change(func(s *status.Status) {
		if s.State == status.Online {
			s.LastOnline = &now
		}
		s.State, s.Since, s.NextAttempt = status.Stopped, now, nil
	})
}

// refresh writes the counts anew if they changed.
func (t *teller) refresh() {
	t.mu.Lock()
	same := t.pushes() == t.status.Pushes
	t.mu.Unlock()
	if !same {
		t.change(func(*status.Status) {})
	}
}

func (t *teller) change(change func(*status.Status)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.status)
	t.status.Updated, t.status.Pushes = time.Now().UTC(), t.pushes()
	err := status.Write(t.dir, t.status)
	if err != nil && !t.broken {
		t.log.Warn("cannot write the status file", telemetry.Cause(err))
	}
	t.broken = err != nil
}
