package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// Bounds of the listener on another host.
const (
	maxHandshakes    = 256 // at a time; more are closed
	handshakesOfOne  = 16  // of these from one address
	handshakeTimeout = 10 * time.Second
)

// remoteWay leads to a TURN process on another host.
type remoteWay struct {
	target   string // host:port
	identity *identity
}

// connect implements way. That process has read its settings itself.
func (w *remoteWay) connect(ctx context.Context) (net.Conn, func(), error) {
	c, err := w.dial(ctx, alpnControl)
	return c, func() {}, err
}

// stream implements way.
func (w *remoteWay) stream(ctx context.Context) (net.Conn, error) { return w.dial(ctx, alpnStream) }

// close implements way.
func (w *remoteWay) close() error { return nil }

func (w *remoteWay) dial(ctx context.Context, alpn string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(w.target)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	d := tls.Dialer{NetDialer: &net.Dialer{KeepAliveConfig: keepAlive()}, Config: w.identity.client(host, alpn)}
	c, err := d.DialContext(ctx, "tcp", w.target)
	if err != nil {
		return nil, fmt.Errorf("connect to the TURN process at %s: %w", w.target, err)
	}
	if secure, ok := c.(*tls.Conn); !ok || secure.ConnectionState().NegotiatedProtocol != alpn {
		return nil, errors.Join(fmt.Errorf("what listens at %s is no TURN process", w.target), c.Close())
	}
	return c, nil
}

// keepAlive finds dead hosts within a minute.
func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: 20 * time.Second, Interval: 10 * time.Second, Count: 4}
}

// Gateway is where servers on other hosts reach this TURN process.
type Gateway struct {
	identity *identity
	control  *Server
	streams  StreamHandler
	log      *zap.Logger
	entering *entrance
}

// NewGateway returns the gateway of a TURN process that runs by itself. The error begins with the key at fault.
func NewGateway(cfg Remote, control *Server, streams StreamHandler, log *zap.Logger) (*Gateway, error) {
	id, err := newIdentity(cfg)
	if err != nil {
		return nil, err
	}
	return &Gateway{identity: id, control: control, streams: streams, log: log.Named("turn.control"), entering: newEntrance(maxHandshakes, handshakesOfOne)}, nil
}

// Serve accepts servers on l, which is open for them alone: each shows a certificate by the authority of ca_file. It returns when ctx has ended and all that came
// by it, and closes l.
func (g *Gateway) Serve(ctx context.Context, l net.Listener) error {
	return acceptAll(ctx, l, func(ctx context.Context, raw net.Conn) {
		if err := g.serve(ctx, raw); err != nil {
			_ = raw.Close() // the error that counts is there already
			g.log.Debug("a control connection was refused or failed", telemetry.Remote(remoteOf(raw)), telemetry.Cause(err))
		}
	})
}

func (g *Gateway) serve(ctx context.Context, raw net.Conn) error {
	c, err := g.secure(ctx, raw)
	if err != nil {
		return err
	}
	switch c.ConnectionState().NegotiatedProtocol {
	case alpnControl:
		return g.control.Serve(ctx, c)
	case alpnStream:
		local, remote, err := readHeader(c)
		if err != nil {
			return err
		}
		g.streams(ctx, c, local, remote)
		return nil
	}
	return errors.New("no protocol was agreed on")
}

func remoteOf(c net.Conn) netip.AddrPort {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.AddrPort{} // of a network without such addresses
	}
	return unmapped(a)
}

// secure makes the handshake.
func (g *Gateway) secure(ctx context.Context, raw net.Conn) (*tls.Conn, error) {
	source := remoteOf(raw).Addr()
	if !g.entering.enter(source) {
		return nil, errors.New("too many handshakes at a time")
	}
	defer g.entering.leave(source)
	if tcp, ok := raw.(*net.TCPConn); ok {
		if err := tcp.SetKeepAliveConfig(keepAlive()); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	c := tls.Server(raw, g.identity.server())
	return c, c.HandshakeContext(ctx)
}
