package guard

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// limitSlots is the size of the table of sources: half a megabyte. Sources that fall on one slot share its rate, so whoever invents addresses can neither make the
// table grow nor push another one out; to use up all slots takes limitSlots times the rate.
const limitSlots = 1 << 16

// limiter bounds answers per source. Safe for concurrent use.
type limiter struct {
	seed  maphash.Seed
	every int64 // nanoseconds between answers in the long run
	burst int64 // nanoseconds that a source may be ahead
	start time.Time
	slots []atomic.Int64 // the time since start at which a source has nothing on its account
}

// newLimiter allows rate answers a second, and burst at once.
func newLimiter(rate, burst int) *limiter {
	every := int64(time.Second) / int64(rate)
	return &limiter{seed: maphash.MakeSeed(), every: every, burst: every * int64(burst), start: time.Now(), slots: make([]atomic.Int64, limitSlots)}
}

// take counts one answer to a source; false: it has had enough of them.
func (l *limiter) take(remote netip.Addr) bool {
	slot, now := l.slot(remote), int64(time.Since(l.start))
	for {
		old := slot.Load()
		next := max(old, now) + l.every
		if next-now > l.burst {
			return false
		}
		if slot.CompareAndSwap(old, next) {
			return true
		}
	}
}

// give takes back what take counted.
func (l *limiter) give(remote netip.Addr) { l.slot(remote).Add(-l.every) }

func (l *limiter) slot(remote netip.Addr) *atomic.Int64 {
	return &l.slots[maphash.Comparable(l.seed, source(remote))%limitSlots]
}

// source returns what counts as one source: an IPv4 address, or the /64 of an IPv6 address, of which every customer has at least one and can use all.
func source(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // fails only for a length that an IPv6 address does not have
		return p.Addr()
	}
	return a
}
