package listen

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/link"
	"signalbox/internal/telemetry"
)

// refusal is why a connection is not handed on.
type refusal struct {
	reason Reason
	cause  error
	tls    *handshakeFacts // nil: there was no handshake
}

func (r *refusal) Error() string {
	if r.cause == nil {
		return string(r.reason)
	}
	return string(r.reason) + ": " + r.cause.Error()
}

func (r *refusal) Unwrap() error { return r.cause }

func refuse(reason Reason, cause error) error { return &refusal{reason: reason, cause: cause} }

// silence returns the reason for a failed read of something that had to come.
func silence(err error) Reason {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return NoFirstByte
	}
	return ClosedEarly
}

// visit is one connection on its way from accept to hand-over. It is used by one goroutine.
type visit struct {
	server *Server
	port   *port
	c      *conn

	out      net.Conn // what is handed over
	tls      link.TLS
	via      link.Via
	protocol Protocol // empty: nothing is handed over
}

// lead brings one connection from accept to hand-over. The handler runs in a fresh goroutine: this one's stack has grown with the
// handshake and would stay so for the connection's life.
func (s *Server) lead(ctx context.Context, p *port, c *conn) {
	v := &visit{server: s, port: p, c: c, out: c}
	unwatch := context.AfterFunc(ctx, c.cut)
	err := v.walk(ctx)
	if err == nil && v.protocol != "" {
		err = c.SetDeadline(time.Time{})
	}
	// Whether the context ended in this moment makes no difference: the handler sees it at once.
	if !unwatch() && err != nil {
		err = refuse(Stopping, err)
	}
	if err != nil || v.protocol == "" {
		v.end(err)
		return
	}
	h := s.handlers[v.protocol]
	s.metrics.handedOn.WithLabelValues(string(v.protocol)).Inc()
	info := link.Info{Remote: c.remote, Local: addrPort(c.LocalAddr()), Via: v.via, TLS: v.tls}
	out := v.out
	s.running.Go(func() { h.ServeConn(ctx, out, info) })
}

// walk takes the steps in their order; each may end the way with a refusal. A nil error without a protocol means that the
// connection was served to its end here.
func (v *visit) walk(ctx context.Context) error {
	if err := v.c.SetDeadline(time.Now().Add(v.server.cfg.FirstByteTimeout)); err != nil {
		return refuse(ClosedEarly, err)
	}
	v.tls.Laboratory = v.port.name == namePlaintext
	if !v.port.plainOnly() {
		if err := v.proxyHeader(); err != nil {
			return err
		}
	}
	if err := v.countSource(); err != nil {
		return err
	}
	if v.port.name == nameHTTP {
		return v.redirect()
	}
	first, err := v.firstByte()
	if err != nil {
		return err
	}
	switch {
	case v.port.plainOnly():
		return v.choose(false, first)
	case first != recordHandshake && v.port.tlsOnly():
		return refuse(UnknownProtocol, nil)
	case first != recordHandshake:
		return v.choose(false, first)
	}
	if err := v.clientHello(); err != nil {
		return err
	}
	if target := v.passthrough(); target != "" {
		return v.splice(ctx, target)
	}
	return v.secure(ctx)
}

// countSource holds the connection against its source's limit.
func (v *visit) countSource() error {
	if !v.server.sources.take(v.c.source()) {
		return refuse(TooManySource, nil)
	}
	v.c.counted = true
	return nil
}

// firstByte looks at the first byte on the wire.
func (v *visit) firstByte() (byte, error) {
	if len(v.c.ahead) == 0 {
		if err := v.c.fill(recordHeader); err != nil {
			return 0, refuse(silence(err), err)
		}
	}
	return v.c.ahead[0], nil
}

// choose finds the protocol by a first byte, on the wire or decrypted.
func (v *visit) choose(secure bool, first byte) error {
	for _, o := range openings() {
		if o.secure == secure && strings.IndexByte(o.bytes, first) >= 0 && slices.Contains(v.port.speaks, o.is) {
			return v.take(o.is)
		}
	}
	return refuse(UnknownProtocol, nil)
}

// take settles the protocol.
func (v *visit) take(p Protocol) error {
	if v.server.handlers[p] == nil {
		return refuse(NoHandler, nil)
	}
	v.protocol, v.via = p, link.ViaTLS
	switch {
	case v.port.plainOnly():
		v.via = link.ViaPlaintext
	case p == STARTTLS:
		v.via = link.ViaSTARTTLS
	}
	return nil
}

// end closes a connection that is not handed on, and counts why.
func (v *visit) end(err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{reason: ClosedEarly, cause: err}
	}
	v.server.metrics.closed.WithLabelValues(string(r.reason)).Inc() // before the peer can see it
	v.server.observe(v.port.name, v.c, r, v.tls.Secure())
	_ = v.out.Close() // the outcome is known already
	if e := v.server.log.Check(zap.DebugLevel, "connection closed"); e != nil {
		e.Write(telemetry.Listener(v.port.name, v.port.addr), telemetry.Remote(v.c.remote), telemetry.Reason(string(r.reason)), telemetry.Cause(r.cause))
	}
}
