package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/agent/capability"
	"signalbox/internal/agent/journal"
	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/login"
	"signalbox/internal/agent/path"
	"signalbox/internal/agent/remote"
	"signalbox/internal/agent/status"
	"signalbox/internal/identity"
	"signalbox/internal/telemetry"
)

const (
	// maxBacklog is how many pushes may wait for their handlers; it bounds the journal's open part.
	maxBacklog = 1024
	// loginTimeout bounds everything from the dial to the bind, for one address.
	loginTimeout = time.Minute
)

// Agent is the endpoint's program: see the package. Its methods may be called concurrently, Run once.
type Agent struct {
	// Set at construction.
	cfg     Config
	version string
	login   login.Login
	ways    *path.Finder
	log     *zap.Logger
	random  func(n int64) int64
	pulse   *pulse
	ready   readyFile
	backlog int // how many pushes may wait for their handlers

	serverKey    identity.Public // the zero value: not known
	capabilities []capability.Capability
	consent      remote.Consent
	remote       *remote.Manager

	// Set by Run before anything else is started.
	journal *journal.Journal
	work    *dispatcher
	tell    *teller

	started chan struct{} // closed by Run when those are set

	// Owned by the goroutine that connects.
	parked *parked // a session that lost its connection; nil: none

	mu      sync.Mutex
	current *session // the one that is online; nil: none
}

// Option changes an Agent that New makes.
type Option func(*Agent)

// WithReadyFile has the agent keep a JSON file at path for as long as it is online: the full JID, the server's address and the time.
func WithReadyFile(path string) Option { return func(a *Agent) { a.ready = readyFile(path) } }

// New checks the configuration, reads the secret and the certificate authorities, and starts nothing. version is the agent's own, for those
// who ask for it. Every error is a mistake in the configuration or in a file that it names.
func New(cfg Config, version string, log *zap.Logger, opts ...Option) (*Agent, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l, ways, err := cfg.Reach()
	if err != nil {
		return nil, err
	}
	key, err := cfg.serverKey()
	if err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, version: version, log: log.Named("agent"), login: l, ways: ways, random: rand.Int64N, pulse: &pulse{configured: cfg.Keepalive}, backlog: maxBacklog,
		serverKey: key, consent: remote.Nobody{}, started: make(chan struct{}),
	}
	for _, o := range opts {
		o(a)
	}
	a.remote = a.newRemote()
	return a, nil
}

// Run connects, handles pushes and connects again until ctx ends. Then it waits for running handlers for the grace period, sends their
// results, closes the stream and returns nil. Any other return is a failure of the journal: without it no push can be taken.
func (a *Agent) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	j, err := journal.Open(a.cfg.StateDir, journal.Keep{Age: a.cfg.JournalKeep, Count: a.cfg.JournalKeepPushes}, time.Now(), a.log)
	if err != nil {
		return err
	}
	defer j.Close()
	a.journal = j
	a.ready.remove() // an agent that was killed leaves it
	hs := newHandlers(a.cfg.Handlers, builtins(a.version, time.Now()))
	a.work = newDispatcher(j, hs, a.cfg.Concurrency, a.cfg.Grace, a.finished, a.log)
	if err := a.work.takeUp(); err != nil {
		return err
	}
	a.recall()
	a.tell = newTeller(a, time.Now().UTC())
	defer a.tell.stopped()
	close(a.started)
	online, offline := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx: results of the last handlers are still sent
	defer offline()
	connected := make(chan error, 1)
	go func() {
		err := a.stayOnline(online)
		stop(err)
		connected <- err
	}()
	refreshed := make(chan struct{})
	go func() {
		defer close(refreshed)
		a.refresh(online)
	}()
	sessions := make(chan struct{})
	go func() {
		defer close(sessions)
		a.remote.Run(ctx)
	}()
	err = a.work.Run(ctx)
	stop(err)
	<-sessions // the server hears of their ends
	offline()
	<-refreshed
	return errors.Join(err, <-connected)
}

// recall takes over from an earlier run which way worked, and what it learned of that.
func (a *Agent) recall() {
	old, err := status.Read(a.cfg.StateDir)
	if err != nil {
		return // a status that is missing or broken is made anew
	}
	a.ways.Recall(old.Ways)
	if old.Through == nil {
		return
	}
	if d, err := time.ParseDuration(old.Through.Keepalive); err == nil && old.Through.Learned {
		a.pulse.learn(old.Through.Via, d)
	}
}

// refresh keeps the counts in the status file until ctx ends.
func (a *Agent) refresh(ctx context.Context) {
	t := time.NewTicker(refreshInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			a.tell.refresh()
		case <-ctx.Done():
			return
		}
	}
}

// pushes counts what the journal holds.
func (a *Agent) pushes() status.Pushes {
	return status.Pushes{Waiting: a.journal.Backlog(), Running: a.work.Running(), Results: len(a.journal.Open(journal.Done))}
}

// stayOnline connects again and again until ctx ends.
func (a *Agent) stayOnline(ctx context.Context) error {
	wait := backoff{random: a.random, awaited: func() bool { return len(a.RemoteSessions()) > 0 }}
	var redirect string
	for {
		a.tell.connecting()
		began := time.Now()
		route, err := a.connect(ctx, redirect)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, journal.Err) {
			return err
		}
		pause := wait.next(time.Since(began), err)
		redirect = redirection(err)
		a.report(err, route, pause)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// redirection returns where the server wants the agent to go; it is tried once, before the other addresses, and must present the same
// domain's certificate.
func redirection(err error) string {
	var se *login.StreamError
	if !errors.As(err, &se) || se.Host == "" {
		return ""
	}
	return withPort(se.Host)
}

// report says in the log and in the status file why the agent is offline.
func (a *Agent) report(err error, route string, pause time.Duration) {
	f := diagnose(err)
	a.tell.offline(f, route, pause)
	fields := []zap.Field{telemetry.Reason(f.Code), telemetry.Cause(err), telemetry.Detail("next attempt in " + pause.Round(time.Millisecond).String())}
	switch {
	case f.Code == ladder.Cloned.Code:
		a.log.Error("another agent has logged in with this identity; two machines must not share one", fields...)
	case refused(f):
		a.log.Error("the server refused this agent's id or secret", fields...)
	default:
		a.log.Warn("offline", fields...)
	}
}

// connect serves one session on the first way that leads to the server, and returns why it ended and on which way; empty: on none.
func (a *Agent) connect(ctx context.Context, redirect string) (string, error) {
	routes, err := a.ways.Routes(ctx)
	if a.parked != nil && a.parked.location != "" {
		routes = slices.Concat(a.ways.Toward(a.parked.location), routes)
	}
	if redirect != "" {
		routes = slices.Concat(a.ways.Toward(redirect), routes)
	}
	errs := []error{err}
	tried := path.Tried{}
	for _, r := range routes {
		if tried.Pointless(r) {
			continue
		}
		st, err := a.open(ctx, r)
		tried[r] = ladder.Of(err)
		if err == nil {
			return r.String(), a.serve(ctx, st, r)
		}
		var se *login.StreamError
		if ctx.Err() != nil || refused(ladder.Of(err)) || errors.As(err, &se) {
			return r.String(), err // the server has spoken: another address would say the same
		}
		errs = append(errs, fmt.Errorf("%s: %w", r, err))
	}
	return "", errors.Join(errs...)
}

// open goes one way up to a session; once more where something on it opens TLS and policy allows that.
func (a *Agent) open(ctx context.Context, r path.Route) (login.Stream, error) {
	st, err := a.attempt(ctx, r, a.login)
	if f := ladder.Of(err); f != nil && f.Code == ladder.Unproven.Code && a.cfg.Interception == InterceptionAllow {
		l := a.login
		l.Intercepted = true
		st, err = a.attempt(ctx, r, l)
	}
	if st.Proven {
		a.ways.Prove(st.TLS)
	}
	return st, err
}

// attempt goes one way up to a session with this login.
func (a *Agent) attempt(ctx context.Context, r path.Route, l login.Login) (st login.Stream, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, loginTimeout, fmt.Errorf("%s did not finish the login within %v", r.Address, loginTimeout))
	defer cancel()
	began, reached := time.Now(), ladder.Step("")
	climb := func(s ladder.Step, _ string) { reached = s }
	defer func() { a.tell.attempted(r, reached, began, err) }()
	conn, err := a.ways.Open(ctx, r, climb)
	if err != nil {
		return login.Stream{}, err
	}
	st, err = l.Negotiate(ctx, conn, r.Direct, a.resumable(time.Now()), climb)
	if err != nil {
		conn.Close()
		if f := ladder.Of(err); f.Code == ladder.Protocol.Code {
			a.parked = nil // its resumption is what went wrong
		}
		return login.Stream{}, err
	}
	return st, nil
}

func (a *Agent) serve(ctx context.Context, st login.Stream, r path.Route) error {
	s := newSession(a, st, r, a.log.With(telemetry.Endpoint(st.JID.Bare().String()), telemetry.Resource(st.JID.Resourcepart())))
	defer a.offline(s)
	old := a.parked
	a.parked = nil
	if st.Resumed {
		if err := s.adopt(old); err != nil {
			s.end(err)
		}
	}
	err := s.run(ctx)
	a.parked = s.park(time.Now())
	return a.judge(s, err)
}

// judge looks whether a session was cut for its silence, and has the agent ask more often if that happened before.
func (a *Agent) judge(s *session, err error) error {
	var idle time.Duration
	f := diagnose(err)
	if f != nil && (f.Code == ladder.Lost.Code || f.Code == ladder.Silent.Code) {
		idle = s.idle()
	}
	if !a.pulse.ended(s.route.Via(), idle) {
		return err
	}
	reason := ladder.IdleCut
	if !s.route.Proxy.IsZero() {
		reason = ladder.ProxyCutsIdle
	}
	detail := fmt.Sprintf("two connections ended after %v of silence; the server is asked every %v from now on", idle.Round(time.Second), a.pulse.interval(s.route.Via()))
	return ladder.New(reason, detail, err)
}

// online is called by a session whose stream management is on. Pushes flow from the initial presence, which a session that was resumed has behind it.
func (a *Agent) online(s *session) error {
	if !s.stream.Resumed {
		s.stanza([]byte("<presence/>"))
	}
	a.mu.Lock()
	a.current = s
	a.mu.Unlock()
	a.remote.Online(s.signal)
	for _, id := range a.journal.Open(journal.Done) {
		if err := s.result(id, false); err != nil {
			return err
		}
	}
	if err := s.release(); err != nil {
		return err
	}
	remote := s.stream.Conn.RemoteAddr().String()
	a.ways.Remember(s.route, time.Now())
	a.tell.online(s, s.keepalive)
	s.log.Info("online", telemetry.Detail("connected to "+s.route.String()+" at "+remote))
	if err := a.ready.write(s.stream.JID.String(), remote, time.Now()); err != nil {
		s.log.Warn("cannot write the ready file", telemetry.Cause(err))
	}
	return nil
}

func (a *Agent) offline(s *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == s {
		a.current = nil
		a.ready.remove()
		a.remote.Offline()
	}
}

// finished is called by the dispatcher when a push is done. Without a session the result waits in the journal.
func (a *Agent) finished(id string) {
	a.mu.Lock()
	s := a.current
	a.mu.Unlock()
	if s == nil {
		return
	}
	if err := errors.Join(s.result(id, false), s.release()); err != nil {
		s.end(err)
	}
}
