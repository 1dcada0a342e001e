package listen

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// port is one address of one listener. Its socket may be closed and opened again; the address stays.
type port struct {
	server   *Server
	name     string // configuration key
	addr     string // with the real port
	speaks   []Protocol
	policies *policies
	open     prometheus.Gauge

	mu     sync.Mutex
	socket net.Listener // nil while closed
	loop   *loop        // that accepts on socket; nil: none
}

func newPort(s *Server, name string, ln net.Listener) *port {
	var ready []Protocol
	for _, p := range spoken(name) {
		if s.handlers[p] != nil {
			ready = append(ready, p)
		}
	}
	p := &port{
		server: s, name: name, addr: ln.Addr().String(), socket: ln,
		speaks: spoken(name), policies: newPolicies(ready, name == nameXMPP), open: s.metrics.open.WithLabelValues(name),
	}
	if p.tlsOnly() {
		p.policies = s.componentPolicies()
	}
	return p
}

// needsCertificate reports whether the port is useless without a valid certificate.
func (p *port) needsCertificate() bool { return p.name != nameHTTP && !p.plainOnly() }

// close closes the socket; the accept loop on it ends. It reports whether the socket was open.
func (p *port) close() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket == nil {
		return false
	}
	_ = p.socket.Close() // nothing can be lost: what was accepted lives on
	p.socket, p.loop = nil, nil
	return true
}

// serve opens the socket if it is closed and starts its accept loop if it has none. It reports whether it did something.
func (p *port) serve(ctx context.Context) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loop != nil {
		return false, nil
	}
	if p.socket == nil {
		opened, err := OpenTCP(ctx, keyOf(p.name), []string{p.addr})
		if err != nil {
			return false, err
		}
		p.socket = opened[0]
	}
	ln, l := p.socket, &loop{}
	p.loop = l
	p.server.running.Go(func() { p.server.accept(ctx, p, ln, l) })
	return true, nil
}

// reopenAfter is how long a port that could not be opened again waits for the next attempt.
const reopenAfter = 2 * time.Second

// supervise keeps each port open or closed as the certificates demand, until Stop.
func (s *Server) supervise(ctx context.Context) {
	for {
		changed := s.certs.Changed()
		ok, reason := s.certs.Serving()
		var again <-chan time.Time
		for _, p := range s.ports {
			if ok || !p.needsCertificate() {
				if !s.servePort(ctx, p) {
					again = time.After(reopenAfter)
				}
			} else if p.close() {
				s.log.Error("listener closed until the certificate is valid",
					telemetry.Listener(p.name, p.addr), telemetry.Detail(reason.Error()))
			}
		}
		select {
		case <-s.stopped: // Run stops when ctx ends
			s.closePorts() // what was opened while Stop closed
			return
		case <-changed:
		case <-again:
		}
	}
}

func (s *Server) servePort(ctx context.Context, p *port) bool {
	select {
	case <-s.stopped:
		return true
	default:
	}
	news, err := p.serve(ctx)
	if err != nil {
		s.log.Error("listener cannot be opened again", telemetry.Listener(p.name, p.addr), zap.Error(err))
		return false
	}
	if news {
		s.log.Info("listening", telemetry.Listener(p.name, p.addr))
	}
	return true
}
