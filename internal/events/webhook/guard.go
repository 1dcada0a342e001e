package webhook

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// forbiddenError says why an address must not be reached.
type forbiddenError struct {
	addr string
	why  string
}

// Error returns the address and the reason.
func (e *forbiddenError) Error() string { return e.addr + " must not be reached: " + e.why }

// forbidden is never reached, whatever the configuration opens: metadata of clouds, addresses of the link, and what is no address of one machine.
var forbidden = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "192.0.0.0/24", "100.100.100.200/32", "168.63.129.16/32",
	"::/128", "fe80::/10", "fec0::/10", "ff00::/8", "100::/64", "fd00:ec2::/32", "2001::/32",
)

// closed is reached where the configuration opens it. What NAT64 with a prefix of the network's own (RFC 8215) leads to cannot be told.
var closed = prefixes("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "::1/128", "fc00::/7", "64:ff9b:1::/48")

// wrapped are ranges whose addresses carry an IPv4 address, beginning at this byte: NAT64 (RFC 6052), 6to4 (RFC 3056), IPv4-translated (RFC 2765) and IPv4-compatible.
var wrapped = []struct {
	in netip.Prefix
	at int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12},
	{netip.MustParsePrefix("::/96"), 12},
}

func prefixes(all ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(all))
	for i, p := range all {
		out[i] = netip.MustParsePrefix(p)
	}
	return out
}

// guard decides which addresses receivers may have. It is read only once built.
type guard struct {
	allow []netip.Prefix               // of closed, what is open
	own   func() map[string][]string   // addresses on which this server listens, by listener
	local func() ([]netip.Addr, error) // addresses of this machine
	any   bool                         // the receiver comes from the configuration: only our own listeners are closed
}

// control is the net.Dialer's ControlContext: it sees each address that a name stands for, just before the connection is made.
func (g guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &forbiddenError{address, "it is no IP address with a port"}
	}
	return g.check(to)
}

// check says why an address must not be reached.
func (g guard) check(to netip.AddrPort) error {
	addr := unwrap(to.Addr())
	if g.isOwn(netip.AddrPortFrom(addr, to.Port())) {
		return &forbiddenError{to.String(), "it is a port of this server itself"}
	}
	in := func(p netip.Prefix) bool { return p.Contains(addr) }
	switch {
	case g.any:
		return nil
	case slices.ContainsFunc(forbidden, in):
		return &forbiddenError{to.String(), "it is an address of the link, of metadata, or of no single machine"}
	case slices.ContainsFunc(closed, in) && !slices.ContainsFunc(g.allow, in):
		return &forbiddenError{to.String(), "it is an internal address that events.webhook_allow does not open"}
	}
	return nil
}

// unwrap returns the IPv4 address that an address carries in some spelling, else the address itself.
func unwrap(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() || a.IsLoopback() || a.IsUnspecified() {
		return a
	}
	for _, w := range wrapped {
		if w.in.Contains(a) {
			b := a.As16()
			return netip.AddrFrom4([4]byte(b[w.at : w.at+4]))
		}
	}
	return a
}

// isOwn reports whether to is a port on which this server listens.
func (g guard) isOwn(to netip.AddrPort) bool {
	if g.own == nil {
		return false
	}
	for _, addrs := range g.own() {
		for _, text := range addrs {
			listener, err := netip.ParseAddrPort(text)
			if err != nil || listener.Port() != to.Port() {
				continue
			}
			at := listener.Addr().Unmap().WithZone("")
			if at == to.Addr() || at.IsUnspecified() && g.isLocal(to.Addr()) {
				return true
			}
		}
	}
	return false
}

// isLocal reports whether an address is one of this machine. Where they cannot be listed all are taken for one.
func (g guard) isLocal(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	all, err := g.local()
	return err != nil || slices.Contains(all, a)
}

// localAddrs lists the addresses of this machine.
func localAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, p.Addr().Unmap().WithZone(""))
		}
	}
	return addrs, nil
}
