package control

import (
	"net/netip"
	"sync"
)

// entrance bounds how many are on their way in, in all and from each source. It may be used concurrently.
type entrance struct {
	most, ofOne int

	mu  sync.Mutex
	all int
	of  map[netip.Addr]int // without zeros
}

func newEntrance(most, ofOne int) *entrance {
	return &entrance{most: most, ofOne: ofOne, of: map[netip.Addr]int{}}
}

// enter takes a place; false: there is none. Whoever got one leaves it.
func (e *entrance) enter(source netip.Addr) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == e.most || e.of[source] == e.ofOne {
		return false
	}
	e.all++
	e.of[source]++
	return true
}

func (e *entrance) leave(source netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all--
	if e.of[source]--; e.of[source] == 0 {
		delete(e.of, source)
	}
}
