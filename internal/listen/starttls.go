package listen

import (
	"context"
	"errors"
	"net"
	"time"

	"signalbox/internal/link"
)

// errAhead means that bytes in plain text lie before the client's hello.
var errAhead = errors.New("unread bytes in plain text before the TLS handshake")

// StartTLS is a link.StartTLS: it upgrades a connection that was handed over for STARTTLS, through the same queue and within the
// same time as direct TLS. The caller must have read nothing beyond <starttls/>: what it holds in a buffer came without
// protection and must end the stream (RFC 6120 section 5.4.3.3). The returned connection has no deadline.
func (s *Server) StartTLS(ctx context.Context, c net.Conn) (net.Conn, link.TLS, error) {
	upgraded, ok := c.(*conn)
	if !ok {
		upgraded = &conn{Conn: c, remote: addrPort(c.RemoteAddr())}
	}
	out, facts, err := s.upgrade(ctx, upgraded)
	if err == nil {
		return out, facts, nil
	}
	var r *refusal
	if ctx.Err() != nil {
		err = refuse(Stopping, err)
	}
	if errors.As(err, &r) {
		s.metrics.closed.WithLabelValues(string(r.reason)).Inc()
		s.observe(nameXMPP, upgraded, r, false)
	}
	return nil, link.TLS{}, err
}

func (s *Server) upgrade(ctx context.Context, c *conn) (net.Conn, link.TLS, error) {
	if len(c.ahead) > 0 {
		return nil, link.TLS{}, refuse(HandshakeFailed, errAhead)
	}
	if err := c.SetDeadline(time.Now().Add(s.cfg.HandshakeTimeout)); err != nil {
		return nil, link.TLS{}, refuse(ClosedEarly, err)
	}
	unwatch := context.AfterFunc(ctx, c.cut) // from the return on the caller ends it
	defer unwatch()
	if err := awaitRecord(c); err != nil {
		return nil, link.TLS{}, err
	}
	secured, facts, err := s.handshake(ctx, c, s.starttls)
	if err != nil {
		return nil, link.TLS{}, err
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return nil, link.TLS{}, refuse(ClosedEarly, err)
	}
	return secured, facts, nil
}
