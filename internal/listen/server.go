package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/certs"
	"signalbox/internal/link"
)

// Server owns the listeners tls, xmpp, http, component and the laboratory's. Register handlers, then Open, then Run.
type Server struct {
	// Set at construction.
	cfg      Config
	certs    *certs.Store
	log      *zap.Logger
	metrics  *metrics
	proxies  []netip.Prefix
	routes   routes
	queue    *queue
	gate     *gate
	sources  *sources
	starttls *policies // for streams that are upgraded
	places   *places

	// Set before Run, then read only.
	handlers  map[Protocol]link.Handler
	observer  Observer        // nil: nobody is told of refusals
	plaintext string          // address of the laboratory's listener; empty: there is none
	clients   *certs.ClientCA // whose certificates endpoints may show; nil: none are asked for
	ports     []*port

	componentCA *certs.ClientCA // signs the certificates of components; nil: plain text on loopback

	served  atomic.Uint64  // connections that were accepted since the start
	running sync.WaitGroup // the goroutines that Run waits for

	refusalTold atomic.Int64 // when a refusal was last logged, Unix nanoseconds

	stopOnce sync.Once
	stopped  chan struct{} // closed by Stop
}

// New checks the configuration and registers the metrics. It opens nothing and starts nothing.
func New(cfg Config, store *certs.Store, log *zap.Logger, reg prometheus.Registerer) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{
		cfg: cfg, certs: store, log: log.Named("listen"),
		queue:    newQueue(cfg.MaxHandshakes, cfg.HandshakeQueue),
		gate:     newGate(),
		sources:  newSources(cfg.MaxPerSource),
		routes:   newRoutes(cfg.SNIPassthrough),
		handlers: map[Protocol]link.Handler{},
		starttls: newPolicies([]Protocol{XMPP}, true),
		places:   newPlaces(limitConnections(cfg.MaxConnections, log.Named("listen"))),
		stopped:  make(chan struct{}),
	}
	for _, r := range cfg.TrustedProxies {
		p, err := parseRange(r)
		if err != nil {
			return nil, fmt.Errorf("listen: trusted_proxies: %w", err)
		}
		s.proxies = append(s.proxies, p)
	}
	var err error
	s.metrics, err = newMetrics(reg, s.queue)
	return s, err
}

// Register names who speaks a protocol. A protocol without a handler is closed with the reason no_handler and is not offered by
// ALPN. It must not be called after Open.
func (s *Server) Register(p Protocol, h link.Handler) { s.handlers[p] = h }

// AskClients asks for client certificates by these authorities where XMPP is spoken. It must not be called after Open.
func (s *Server) AskClients(ca *certs.ClientCA) { s.clients = ca }

// Open opens all sockets or none, so that a taken port is known before anything is announced. The error names the key and the
// address. Run closes the sockets of tls and xmpp again while the certificates do not serve.
func (s *Server) Open(ctx context.Context) error {
	lists := []struct {
		name  string
		addrs []string
	}{{nameTLS, s.cfg.TLS}, {nameXMPP, s.cfg.XMPP}, {nameHTTP, s.cfg.HTTP}, {nameComponent, s.cfg.Component}, {namePlaintext, s.plaintextAddrs()}}
	for _, l := range lists {
		opened, err := OpenTCP(ctx, keyOf(l.name), l.addrs)
		if err != nil {
			s.closePorts()
			s.ports = nil
			return err
		}
		for _, ln := range opened {
			s.ports = append(s.ports, newPort(s, l.name, ln))
		}
	}
	s.warnBacklog()
	return nil
}

// Addrs returns the addresses that Open got for each listener, with the real ports; also those that are closed because the
// certificates do not serve.
func (s *Server) Addrs() map[string][]string {
	all := map[string][]string{}
	for _, p := range s.ports {
		all[p.name] = append(all[p.name], p.addr)
	}
	return all
}

// Run accepts and hands on until ctx ends; then it stops accepting, ends what is not handed on yet, and waits for the handlers,
// which get the same ctx. It returns nil, or why it cannot run.
func (s *Server) Run(ctx context.Context) error {
	if s.ports == nil && len(s.cfg.TLS)+len(s.cfg.XMPP)+len(s.cfg.HTTP)+len(s.cfg.Component)+len(s.plaintextAddrs()) > 0 {
		return errors.New("listen: Run before Open")
	}
	s.running.Go(func() { s.supervise(ctx) })
	<-ctx.Done()
	s.Stop()
	s.running.Wait()
	return nil
}

// Stop closes the listening sockets for good and lets every connection go on, for a drain. It may be called at any time and more
// than once.
func (s *Server) Stop() {
	s.stopOnce.Do(func() { close(s.stopped) })
	s.closePorts()
}

func (s *Server) closePorts() {
	for _, p := range s.ports {
		p.close()
	}
}

// admit counts a new connection, or returns nil when too many are open, also after a moment if patient.
func (s *Server) admit(p *port, raw net.Conn, patient bool) *conn {
	s.metrics.accepted.WithLabelValues(p.name).Inc()
	s.served.Add(1)
	if !s.places.take(patient, s.stopped) {
		return nil
	}
	p.open.Inc()
	return &conn{Conn: raw, remote: addrPort(raw.RemoteAddr()), place: p}
}

// giveBack is called once for each admitted connection, when it closes.
func (s *Server) giveBack(c *conn) {
	s.places.give()
	c.place.open.Dec()
	if c.counted {
		s.sources.give(c.source())
	}
}

// Turnover returns how many connections came, and how many of them went, since the start, together.
func (s *Server) Turnover() uint64 { return 2*s.served.Load() - uint64(s.places.taken.Load()) }
