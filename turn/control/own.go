package control

import (
	"net/netip"
	"slices"
)

// maxOwn bounds the listeners of one server, each on each address of its machine.
const maxOwn = 4096

// Protect says which listeners this installation has, for a TURN process on another host, where no peer may be any of them: a child has them from its Settings. An unspecified
// address stands for all of this machine. It must be called before Run.
func (c *Client) Protect(listeners []netip.AddrPort) { c.listeners = listeners }

// everywhere returns listeners with those on unspecified addresses on each of addrs instead. Loopback is left out: nothing opens it to peers.
func everywhere(listeners []netip.AddrPort, addrs []netip.Addr) (all []netip.AddrPort) {
	for _, l := range listeners {
		at := []netip.Addr{l.Addr().Unmap().WithZone("")}
		if l.Addr().IsUnspecified() {
			at = addrs
		}
		for _, a := range at {
			if one := netip.AddrPortFrom(a, l.Port()); !a.IsLoopback() && len(all) < maxOwn && !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	return all
}

// alsoAt returns listeners, and all their ports on one address more: where a server is seen is none of its own addresses if a router translates them. An invalid address: there is
// none.
func alsoAt(listeners []netip.AddrPort, seen netip.Addr) []netip.AddrPort {
	if !seen.IsValid() {
		return listeners
	}
	all := slices.Clone(listeners)
	for _, l := range listeners {
		all = append(all, netip.AddrPortFrom(seen, l.Port()))
	}
	return all
}
