package path

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"signalbox/internal/agent/ladder"
)

// Climb is told of each step that succeeded, with what was seen there.
type Climb func(step ladder.Step, seen string)

// Open goes a route up to TLS, or for STARTTLS up to the connection, or by WebSocket up to that: then what is read and written is a stream of RFC 6120 all the same. Every error is a *ladder.Failure. climb may be nil.
func (f *Finder) Open(ctx context.Context, r Route, climb Climb) (net.Conn, error) {
	if climb == nil {
		climb = func(ladder.Step, string) {}
	}
	conn, err := f.connect(ctx, r, climb)
	if err != nil || !r.Direct {
		return conn, err
	}
	if r.WebSocket {
		return f.webSocket(ctx, r, conn, climb)
	}
	secured, err := Handshake(ctx, conn, f.TLS)
	if err != nil {
		return nil, f.doubtClock(ctx, r, err)
	}
	climb(ladder.TLS, Describe(secured.ConnectionState()))
	return secured, nil
}

// OpenHTTP goes a route of direct TLS up to a connection on which HTTP/1.1 is spoken. The certificate must be right, as WebTLS has it. Every error is a *ladder.Failure.
func (f *Finder) OpenHTTP(ctx context.Context, r Route, climb Climb) (*tls.Conn, error) {
	if climb == nil {
		climb = func(ladder.Step, string) {}
	}
	conn, err := f.connect(ctx, r, climb)
	if err != nil {
		return nil, err
	}
	secured, err := Handshake(ctx, conn, f.WebTLS())
	if err != nil {
		return nil, f.doubtClock(ctx, r, err)
	}
	climb(ladder.TLS, Describe(secured.ConnectionState()))
	return secured, nil
}

// Describe says in one line what a handshake came to.
func Describe(state tls.ConnectionState) string {
	leaf := state.PeerCertificates[0]
	return fmt.Sprintf("%s, certificate issued by %s, valid until %s", tls.VersionName(state.Version), issuer(leaf), leaf.NotAfter.UTC().Format(time.DateOnly))
}

// connect makes the connection, through the proxy if there is one.
func (f *Finder) connect(ctx context.Context, r Route, climb Climb) (net.Conn, error) {
	if r.Proxy.IsZero() {
		conn, err := f.dial(ctx, r.Address)
		if err != nil {
			return nil, unreached(r.Address, err)
		}
		reached(climb, r.Address, conn)
		return conn, nil
	}
	conn, err := f.dial(ctx, r.Proxy.address)
	if err != nil {
		reason := ladder.ProxyUnreachable
		if isNotFound(err) {
			reason = ladder.ProxyNameUnknown
		}
		return nil, ladder.New(reason, r.Proxy.String(), err)
	}
	reached(climb, r.Proxy.address, conn)
	if r.Proxy.tls {
		if conn, err = r.Proxy.secure(ctx, conn, f.Roots); err != nil {
			return nil, err
		}
	}
	if conn, err = r.Proxy.tunnel(ctx, conn, r.Address); err != nil {
		return nil, err
	}
	climb(ladder.Proxy, r.Proxy.String()+" leads to "+r.Address)
	return conn, nil
}

func reached(climb Climb, address string, conn net.Conn) {
	remote := conn.RemoteAddr().String()
	host, _, _ := net.SplitHostPort(address)
	if net.ParseIP(host) == nil {
		at, _, _ := net.SplitHostPort(remote)
		climb(ladder.DNS, host+" is "+at)
	}
	climb(ladder.TCP, "connected to "+remote)
}

// dial tries the addresses that a name has, those of both families side by side (RFC 8305), and keeps the first that answers.
func (f *Finder) dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return f.Dial(ctx, "tcp", loopback(address))
}

// loopback has names below localhost lead to this machine (RFC 6761 section 6.3), as browsers do. Resolvers of most systems know the one name alone.
func loopback(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err == nil && strings.HasSuffix(strings.TrimSuffix(strings.ToLower(host), "."), ".localhost") {
		return net.JoinHostPort("localhost", port)
	}
	return address
}

// unreached says why there is no connection to an address of the server.
func unreached(address string, err error) *ladder.Failure {
	var dns *net.DNSError
	reason := ladder.Unreachable
	switch {
	case isNotFound(err):
		reason = ladder.NameUnknown
	case errors.As(err, &dns):
		reason = ladder.NoDNS
	case isRefused(err):
		reason = ladder.PortRefused
	case isForbidden(err):
		reason = ladder.Forbidden
	case isTimeout(err):
		reason = ladder.PortFiltered
	}
	return ladder.New(reason, address, err)
}

func isNotFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &e) && e.Timeout()
}

// isClosed reports whether the other side ended the connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || isReset(err)
}
