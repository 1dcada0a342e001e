package listen

import (
	"bufio"
	"errors"
	"net/netip"
	"slices"

	"github.com/pires/go-proxyproto"
)

// trusted reports whether the source must send a PROXY header.
func (s *Server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.proxies, func(p netip.Prefix) bool { return p.Contains(a.WithZone("")) })
}

// Trusts reports whether connections from a must begin with a PROXY protocol header. Entries that are no ranges trust nobody.
func (c Config) Trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(c.TrustedProxies, func(text string) bool {
		p, err := parseRange(text)
		return err == nil && p.Contains(a)
	})
}

// proxyHeader reads the header that a trusted proxy must send, so that nobody can forge one through a proxy that passes bytes
// through. With the command LOCAL, a proxy's own health check, the address stays that of the connection.
func (v *visit) proxyHeader() error {
	if !v.server.trusted(v.c.remote.Addr()) {
		return nil
	}
	r := bufio.NewReaderSize(v.c.Conn, 256) // holds a whole version 1 header, whose parser wants it in one read
	if _, err := r.Peek(1); err != nil {
		return refuse(silence(err), err)
	}
	h, err := proxyproto.Read(r)
	if errors.Is(err, proxyproto.ErrNoProxyProtocol) {
		return refuse(ProxyMissing, err)
	}
	if err != nil {
		return refuse(ProxyBad, err)
	}
	if rest, _ := r.Peek(r.Buffered()); len(rest) > 0 { // fails only for more than is buffered
		v.c.ahead = slices.Clone(rest)
	}
	if h.Command.IsLocal() {
		return nil
	}
	from, _, ok := h.TCPAddrs()
	if !ok {
		return refuse(ProxyBad, errors.New("the PROXY header has no TCP address"))
	}
	v.c.remote = addrPort(from)
	return nil
}
