// Package component lets programs serve domains beside ours (XEP-0114, jabber:component:accept): their streams, and the routing to and from them.
package component

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"mellium.im/xmpp/jid"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

// Namespace is the content namespace of a component's stream.
const Namespace = "jabber:component:accept"

// Limits bound what a component may cost.
type Limits struct {
	Login, Stanza scan.Limits // before and after the handshake
	Transport     transport.Limits
	LoginStanzas  int // per second before the handshake, and bytes
	LoginBytes    int
	StanzasPerSec int // after it
	BytesPerSec   int
	LoginTimeout  time.Duration // from the start of the stream to the handshake
	StanzaTimeout time.Duration // for a begun stanza to arrive
	Shutdown      time.Duration // for streams to close when the server stops
}

// Inside takes what components send to this server's own domain. Take may be called concurrently and may wait for the store, ten seconds at most.
type Inside interface {
	// Take handles a stanza of jabber:client of a sender at a component, addressed to the domain, an account of it or one of its clients.
	Take(from feature.Client, el *scan.Stanza, to jid.JID)
}

// Server speaks with the components of one server. It implements link.Handler and is safe for concurrent use.
type Server struct {
	// Set at construction.
	domain  string
	secrets map[string][]byte // by the component's domain
	limits  Limits
	log     *zap.Logger
	metrics *metrics
	driver  transport.Driver
	wheel   transport.Wheel
	base    time.Time // origin of the streams' clocks

	inside Inside // set before connections come

	mu      sync.Mutex
	streams map[*stream]struct{}
	bound   map[string]*stream // by the component's domain, those whose handshake was right
	closing bool
	hint    func() string // beside the condition with which streams end then; nil: nothing
}

// New returns a server for components with these secrets, by domain. It starts nothing; SetInside must follow.
func New(domain string, secrets map[string][]byte, limits Limits, log *zap.Logger, reg prometheus.Registerer) *Server {
	return &Server{
		domain: domain, secrets: secrets, limits: limits, metrics: newMetrics(reg),
		log:     log.Named("component").WithOptions(zap.WrapCore(sampled)),
		driver:  transport.NewGoroutine(limits.Transport, nil),
		base:    time.Now(),
		streams: make(map[*stream]struct{}), bound: make(map[string]*stream),
	}
}

// sampled lets a few lines of a kind through per second.
func sampled(c zapcore.Core) zapcore.Core { return zapcore.NewSamplerWithOptions(c, time.Second, 5, 0) }

// SetInside says who takes stanzas for this server's domain.
func (s *Server) SetInside(in Inside) { s.inside = in }

// Serves reports whether a domain is that of a component, connected or not. A nil server has none.
func (s *Server) Serves(domain string) bool {
	return s != nil && s.secrets[domain] != nil
}

// Connected returns the domains of the components that are connected, in order.
func (s *Server) Connected() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.bound))
}

// Route hands a stanza of jabber:client, with its true from and its to, to the component that has the domain; false: none is connected, or it does not read.
func (s *Server) Route(domain string, raw []byte) bool {
	s.mu.Lock()
	st := s.bound[domain]
	s.mu.Unlock()
	ok := st != nil && st.deliver(raw, "")
	s.metrics.count(outward, ok)
	return ok
}

// ServeConn implements link.Handler: it returns when the handshake was right or the stream is over.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn, info link.Info) {
	stop := func() bool { return true }
	s.driver.Serve(ctx, nc, func(conn transport.Conn) transport.Handler {
		st := newStream(s, conn, info)
		s.wheel.Set(&st.timer, s.limits.LoginTimeout)
		if !s.remember(st) {
			st.end(endpoint.ReasonShutdown)
		}
		stop = context.AfterFunc(ctx, func() { st.end(endpoint.ReasonShutdown) })
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
	open := s.drain(nil)
	cut := time.AfterFunc(s.limits.Shutdown, func() {
		for _, st := range open {
			st.conn.Abort()
		}
	})
	s.driver.Wait()
	cut.Stop()
	stop()
	turning.Wait()
	return nil
}

// Drain lets no stream begin any more and ends those that are open; hint makes what is said beside the condition. Welcome takes it back.
func (s *Server) Drain(hint func() string) { s.drain(hint) }

// drain is Drain that returns what was open; without a hint the last one stays.
func (s *Server) drain(hint func() string) (open []*stream) {
	s.mu.Lock()
	s.closing = true
	if hint != nil {
		s.hint = hint
	}
	open = slices.Collect(maps.Keys(s.streams))
	s.mu.Unlock()
	for _, st := range open {
		st.end(endpoint.ReasonShutdown)
	}
	return open
}

// Welcome lets streams begin again after a Drain.
func (s *Server) Welcome() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing, s.hint = false, nil
}

// farewell is what is said beside the condition of a stream that ends because the server stops.
func (s *Server) farewell(r endpoint.Reason) string {
	s.mu.Lock()
	hint := s.hint
	s.mu.Unlock()
	if hint == nil || r.Name != endpoint.ReasonShutdown.Name {
		return ""
	}
	return hint()
}

// remember keeps a stream for the shutdown; it is false once that has begun.
func (s *Server) remember(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.streams[st] = struct{}{}
	return true
}

// bind makes a stream the component's; false: it has one.
func (s *Server) bind(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bound[st.name] != nil {
		return false
	}
	s.bound[st.name] = st
	s.metrics.connected.Inc()
	return true
}

// unbind lets another stream be the component's.
func (s *Server) unbind(st *stream, r endpoint.Reason) {
	s.mu.Lock()
	mine := s.bound[st.name] == st
	if mine {
		delete(s.bound, st.name)
		s.metrics.connected.Dec()
	}
	s.mu.Unlock()
	if mine {
		s.log.Info("component disconnected", telemetry.Component(st.name), telemetry.Reason(r.Name))
	}
}

func (s *Server) forget(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st)
}

// Feature lists the connected components among the items of the server (XEP-0030 section 4).
func (s *Server) Feature() feature.Feature {
	return feature.Feature{List: func(_ context.Context, q *feature.Query, node string, b []byte) ([]byte, bool) {
		if q.To != feature.Server || node != "" {
			return b, false
		}
		for _, name := range s.Connected() {
			b = append(scan.AppendEscaped(append(b, "<item jid='"...), name), "'/>"...)
		}
		return b, true
	}}
}

// FullName returns the domain of a configured component: its name, below ours if that has no dot. The error says why it can be none.
func FullName(name, domain string) (string, error) {
	full := name
	if !strings.Contains(name, ".") {
		full = name + "." + domain
	}
	j, err := jid.Parse(full)
	switch {
	case err != nil || name == "" || j.Domainpart() != full:
		return "", fmt.Errorf("%q is no name in lower case such as bot, which stands for bot.%s, or bot.example.com", name, domain)
	case full == domain:
		return "", fmt.Errorf("%q is the domain of this server itself", name)
	}
	return full, nil
}
