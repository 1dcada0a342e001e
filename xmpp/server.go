// Package xmpp is the XMPP server for managed endpoints: it negotiates streams, binds and resumes sessions, answers for the server, and carries pushes.
package xmpp

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
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
	Carrier     Carrier
	Shelf       Shelf // keeps sessions over a restart; nil: they end with the server
	Features    *feature.Set
	IM          *im.Service       // routes between accounts; nil: endpoints talk to the server alone
	Components  *component.Server // serve domains beside ours; nil: there are none
	Technicians Technicians       // of remote sessions; nil: none logs in over XMPP
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
	leave   leave
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
		driver:  transport.NewGoroutine(cfg.Transport(), deps.StartTLS),
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
			st.endWith(s.farewell(), s.hint(s.farewell()))
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
