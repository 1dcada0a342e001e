package listen

import (
	"net"
	"net/netip"
	"sync"
)

// sources counts the open connections of each source. Safe for concurrent use.
type sources struct {
	limit int

	mu   sync.Mutex
	open map[netip.Addr]int
}

func newSources(limit int) *sources { return &sources{limit: limit, open: map[netip.Addr]int{}} }

// sourceOf returns what counts as one source: an IPv4 address, or the /64 of an IPv6 address, of which every customer has at
// least one and can use all.
func sourceOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // fails only for a length that an IPv6 address does not have
		return p.Addr()
	}
	return a
}

// take counts one more connection unless the limit is reached.
func (s *sources) take(source netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[source] >= s.limit {
		return false
	}
	s.open[source]++
	return true
}

// give counts one connection less.
func (s *sources) give(source netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[source]--; s.open[source] <= 0 {
		delete(s.open, source)
	}
}

// addrPort returns the address in the form in which addresses are compared; invalid for what is not TCP.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
