package path

import (
	"context"
	"errors"
	"net"

	"signalbox/internal/agent/ladder"
)

// Stream connects to host:port of something that belongs to the server, such as its TURN server, by the proxies that lead to the server, too. Every error is a *ladder.Failure,
// or several of them.
func (f *Finder) Stream(ctx context.Context, address string) (net.Conn, error) {
	if !ValidAddress(address) {
		return nil, ladder.New(ladder.NameUnknown, "that is no address", nil)
	}
	routes := f.Toward(address)
	if len(routes) == 0 {
		_, err := f.Proxies.For(address)
		return nil, ladder.New(ladder.ProxyUnusable, "", err)
	}
	var errs []error
	for _, r := range routes {
		conn, err := f.connect(ctx, r, func(ladder.Step, string) {})
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// Secured is Stream inside TLS for one protocol of ALPN. The certificate must be valid for the host, or for the server's domain where the host is an IP address, or be
// that of a connection on which the server has proven its identity.
func (f *Finder) Secured(ctx context.Context, address, protocol string) (net.Conn, error) {
	conn, err := f.Stream(ctx, address)
	if err != nil {
		return nil, err
	}
	name, _, _ := net.SplitHostPort(address)
	if net.ParseIP(name) != nil {
		name = f.Domain
	}
	return Handshake(ctx, conn, f.believing(name, protocol))
}
