package turn

import (
	"net/netip"
	"sync"
)

// places bounds the open connections, in all and of one source: an IPv4 address, or the /64 of an IPv6 address, of which every customer has at least one. Safe for
// concurrent use.
type places struct {
	most, mostOfOne int

	mu   sync.Mutex
	open int
	of   map[netip.Addr]int
}

func newPlaces(most, mostOfOne int) *places {
	return &places{most: most, mostOfOne: mostOfOne, of: map[netip.Addr]int{}}
}

// take counts a connection; release, to be called once, gives its place back. Where there is none it says why.
func (p *places) take(a netip.Addr) (release func(), why string) {
	one := sourceOf(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.open >= p.most:
		return nil, crowdedAll
	case p.of[one] >= p.mostOfOne:
		return nil, crowdedSource
	}
	p.open++
	p.of[one]++
	return func() { p.give(one) }, ""
}

func (p *places) give(one netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if p.of[one]--; p.of[one] == 0 {
		delete(p.of, one)
	}
}

// taken returns how many connections are open.
func (p *places) taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

func sourceOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // fails only for a length that an IPv6 address does not have
		return p.Addr()
	}
	return a
}
