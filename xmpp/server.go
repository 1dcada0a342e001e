// Package xmpp is the XMPP server for managed endpoints: it negotiates streams, binds and resumes sessions, answers for the server, and carries pushes.
package xmpp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/component"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/im"
	"signalbox/xmpp/sasl"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

// Deps are the parts that a server needs.
type Deps struct {
	SASL        *sasl.Server
	Logins      sasl.Accounts
	Registry    *endpoint.Registry
	Resumptions endpoint.Resumptions
	Pushes      Pushes
	Features    *feature.Set
	IM          *im.Service       // routes between accounts; nil: endpoints talk to the server alone
	Components  *component.Server // serve domains beside ours; nil: there are none
	Observer    Observer          // is told of failed logins; nil: nobody is
	StartTLS    link.StartTLS     // nil: no upgrade of plain-text connections
	Drain       time.Duration     // over which sessions are closed when the server stops
	OtherHost   string            // where they are sent then; empty: they come back by themselves
}

// Server speaks XMPP with endpoints of one domain. It implements link.Handler and is safe for concurrent use.
type Server struct {
	cfg     Config
	domain  string
	deps    Deps
	log     *zap.Logger
	metrics *metrics
	driver  transport.Driver
	wheel   *transport.Wheel

	base   time.Time // origin of the streams' clocks, which steps of the wall clock must not touch
	events sync.Pool // of *scan.Event, lent while a stream takes bytes

	mu      sync.Mutex
	streams map[*stream]struct{}
	closing bool
}

// New returns a server for a domain, in lower case. It starts nothing.
func New(cfg Config, domain string, deps Deps, log *zap.Logger, reg prometheus.Registerer) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("xmpp: %w", err)
	}
	s := &Server{
		cfg:     cfg,
		domain:  domain,
		deps:    deps,
		log:     sampled(log.Named("xmpp")),
		metrics: newMetrics(reg),
		driver:  transport.NewGoroutine(cfg.transport(), deps.StartTLS),
		wheel:   new(transport.Wheel),
		streams: make(map[*stream]struct{}),
		base:    time.Now(),
	}
	s.events.New = func() any { return new(scan.Event) }
	return s, nil
}

// sampled lets a few lines of a kind through per second: whatever meets one login may meet ten thousand.
func sampled(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return zapcore.NewSamplerWithOptions(c, time.Second, 5, 0) }))
}

// ServeConn implements link.Handler: it negotiates on the caller's goroutine and returns when a session is bound or the stream is over.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn, info link.Info) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := func() bool { return true }
	s.driver.Serve(ctx, nc, func(conn transport.Conn) transport.Handler {
		st := newStream(s, conn, info, &login{ctx: ctx})
		st.giveUp = cancel
		s.wheel.Set(&st.timer, s.cfg.LoginTimeout)
		if !s.remember(st) {
			st.end(endpoint.ReasonShutdown)
		}
		stop = context.AfterFunc(ctx, func() { st.endWith(s.farewell(), s.hint(s.farewell())) })
		return st
	})
	stop()
}

// Run keeps the time of all streams until ctx is done, then closes them, and returns when the last is closed. Listeners must have stopped handing connections over
// when ctx is done.
func (s *Server) Run(ctx context.Context) error {
	wheel, stop := context.WithCancel(context.WithoutCancel(ctx))
	var turning sync.WaitGroup
	turning.Go(func() { s.wheel.Run(wheel) })
	<-ctx.Done()
	s.closeAll()
	stop()
	turning.Wait()
	return nil
}

// closeAll tells every stream that the server stops, spread over the drain period so that not all come back at once, and cuts those that do not go.
func (s *Server) closeAll() {
	open := s.close()
	if len(open) > 0 {
		s.log.Info("closing streams", telemetry.Count(len(open)), telemetry.Took(s.deps.Drain))
	}
	start := time.Now()
	for i, st := range open {
		time.Sleep(time.Until(start.Add(s.deps.Drain * time.Duration(i) / time.Duration(len(open)))))
		st.endWith(s.farewell(), s.hint(s.farewell()))
	}
	cut := time.AfterFunc(s.cfg.ShutdownTimeout, func() {
		for _, st := range open {
			st.conn.Abort()
		}
	})
	s.driver.Wait()
	cut.Stop()
	for _, left := range s.deps.Resumptions.All() {
		left.End(s.farewell())
	}
}

// close lets no stream begin any more and returns those that are open.
func (s *Server) close() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	open := make([]*stream, 0, len(s.streams))
	for st := range s.streams {
		open = append(open, st)
	}
	return open
}

// farewell is why streams end when the server stops.
func (s *Server) farewell() endpoint.Reason {
	if s.deps.OtherHost != "" {
		return endpoint.ReasonMoved
	}
	return endpoint.ReasonShutdown
}

// hint tells an endpoint when to come back, where many are sent away at once: spread so that a thousand return per second.
func (s *Server) hint(r endpoint.Reason) string {
	if r.Name != s.farewell().Name {
		return ""
	}
	s.mu.Lock()
	n := len(s.streams)
	s.mu.Unlock()
	after := 1 + rand.IntN(2+n/1000)
	return "<retry xmlns='" + nsHint + "' after='" + strconv.Itoa(after) + "'/>"
}

// remember keeps a stream for the shutdown; it is false once that has begun.
func (s *Server) remember(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.streams[st] = struct{}{}
	s.metrics.streams.Inc()
	return true
}

func (s *Server) forget(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.streams[st]; ok {
		delete(s.streams, st)
		s.metrics.streams.Dec()
	}
}
