package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"

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
	login   login
	log     *zap.Logger
	dial    dialer
	dns     resolver
	random  func(n int64) int64
	ready   readyFile
	backlog int // how many pushes may wait for their handlers

	// Set by Run before anything else is started.
	journal *journal
	work    *dispatcher

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
	id, err := cfg.jid()
	if err != nil {
		return nil, err
	}
	secret, secretErr := cfg.secret()
	tlsCfg, tlsErr := tlsConfig(cfg.Domain, cfg.CAFile)
	if err := errors.Join(secretErr, tlsErr); err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, version: version, log: log.Named("agent"),
		login: login{jid: id, secret: secret, tls: tlsCfg, allowPlain: cfg.AllowPlain},
		dial:  (&net.Dialer{}).DialContext, dns: net.DefaultResolver, random: rand.Int64N, backlog: maxBacklog,
	}
	for _, o := range opts {
		o(a)
	}
	return a, nil
}

// Run connects, handles pushes and connects again until ctx ends. Then it waits for running handlers for the grace period, sends their
// results, closes the stream and returns nil. Any other return is a failure of the journal: without it no push can be taken.
func (a *Agent) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	j, err := openJournal(a.cfg.StateDir, keep{a.cfg.JournalKeep, a.cfg.JournalKeepPushes}, time.Now(), a.log)
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
	online, offline := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx: results of the last handlers are still sent
	defer offline()
	connected := make(chan error, 1)
	go func() {
		err := a.stayOnline(online)
		stop(err)
		connected <- err
	}()
	err = a.work.Run(ctx)
	offline()
	return errors.Join(err, <-connected)
}

// stayOnline connects again and again until ctx ends.
func (a *Agent) stayOnline(ctx context.Context) error {
	wait := backoff{random: a.random}
	var redirect string
	for {
		began := time.Now()
		err := a.connect(ctx, redirect)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errJournal) {
			return err
		}
		pause := wait.next(time.Since(began), err)
		redirect = redirection(err)
		a.report(err, pause)
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
	var se *streamError
	if !errors.As(err, &se) || se.host == "" {
		return ""
	}
	if _, _, err := net.SplitHostPort(se.host); err != nil {
		return net.JoinHostPort(se.host, directPort)
	}
	return se.host
}

// report logs why the agent is offline.
func (a *Agent) report(err error, pause time.Duration) {
	var se *streamError
	fields := []zap.Field{telemetry.Cause(err), telemetry.Detail("next attempt in " + pause.Round(time.Millisecond).String())}
	switch {
	case errors.As(err, &se) && se.condition == conditionConflict:
		a.log.Error("another agent has logged in with this identity; two machines must not share one", fields...)
	case errors.Is(err, errAuth):
		a.log.Error("the server refused this agent's id or secret", fields...)
	default:
		a.log.Warn("offline", fields...)
	}
}

// connect serves one session on the first address that takes the agent, and returns why it ended.
func (a *Agent) connect(ctx context.Context, redirect string) error {
	list := targets(ctx, a.dns, a.cfg.Domain, a.cfg.Addresses)
	if redirect != "" {
		list = append([]target{targetOf(redirect)}, list...)
	}
	var errs []error
	for _, t := range list {
		st, err := a.open(ctx, t)
		if err == nil {
			return a.serve(ctx, st)
		}
		var se *streamError
		if ctx.Err() != nil || errors.Is(err, errAuth) || errors.As(err, &se) {
			return err // the server has spoken: another address would say the same
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (a *Agent) open(ctx context.Context, t target) (stream, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, loginTimeout, fmt.Errorf("%s did not finish the login within %v", t.address, loginTimeout))
	defer cancel()
	conn, err := t.open(ctx, a.dial, a.login.tls)
	if err != nil {
		return stream{}, err
	}
	st, err := a.login.negotiate(ctx, conn, t.direct)
	if err != nil {
		conn.Close()
		return stream{}, fmt.Errorf("%s: %w", t.address, err)
	}
	return st, nil
}

func (a *Agent) serve(ctx context.Context, st stream) error {
	s := newSession(a, st, a.log.With(telemetry.Endpoint(st.jid.Bare().String()), telemetry.Resource(st.jid.Resourcepart())))
	defer a.offline(s)
	return s.run(ctx)
}

// online is called by a session whose stream management is on. Pushes flow from the initial presence.
func (a *Agent) online(s *session) error {
	s.stanza([]byte("<presence/>"))
	a.mu.Lock()
	a.current = s
	a.mu.Unlock()
	for _, id := range a.journal.Open(phaseDone) {
		if err := s.result(id, false); err != nil {
			return err
		}
	}
	remote := s.stream.conn.RemoteAddr().String()
	s.log.Info("online", telemetry.Detail("connected to "+remote))
	if err := a.ready.write(s.stream.jid.String(), remote, time.Now()); err != nil {
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
