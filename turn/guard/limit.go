package guard

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"signalbox/turn/datapath"
)

// limitSlots is the size of the table of sources: half a megabyte. Sources that fall on one slot share its rate, so whoever invents addresses can neither make the
// table grow nor push another one out; to use up all slots takes limitSlots times the rate.
const limitSlots = 1 << 16

// rate bounds how often something is done. Safe for concurrent use.
type rate struct {
	every int64 // nanoseconds between two times in the long run
	burst int64 // nanoseconds that an account may be ahead
	start time.Time
}

// newRate allows perSecond times a second, and burst at once.
func newRate(perSecond, burst int) rate {
	every := int64(time.Second) / int64(perSecond)
	return rate{every: every, burst: every * int64(burst), start: time.Now()}
}

// take counts one time on an account, which holds the time since start at which nothing is on it; false: it has been enough.
func (r *rate) take(account *atomic.Int64) bool {
	now := int64(time.Since(r.start))
	for {
		old := account.Load()
		next := max(old, now) + r.every
		if next-now > r.burst {
			return false
		}
		if account.CompareAndSwap(old, next) {
			return true
		}
	}
}

// limiter bounds answers per source. Safe for concurrent use.
type limiter struct {
	rate  rate
	seed  maphash.Seed
	slots []atomic.Int64 // accounts of sources
}

// newLimiter allows perSecond answers a second, and burst at once.
func newLimiter(perSecond, burst int) *limiter {
	return &limiter{rate: newRate(perSecond, burst), seed: maphash.MakeSeed(), slots: make([]atomic.Int64, limitSlots)}
}

// take counts one answer to a source; false: it has had enough of them.
func (l *limiter) take(remote netip.Addr) bool { return l.rate.take(l.slot(remote)) }

// give takes back what take counted.
func (l *limiter) give(remote netip.Addr) { l.slot(remote).Add(-l.rate.every) }

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

// limiters bound answers per source apart for datagrams and for streams: anybody can send datagrams in the name of another source, and must not use up what that gets
// over a stream, whose address is proven.
type limiters struct{ datagrams, streams *limiter }

func newLimiters(perSecond, burst int) limiters {
	return limiters{datagrams: newLimiter(perSecond, burst), streams: newLimiter(perSecond, burst)}
}

func (l limiters) of(c datapath.Client) *limiter {
	if c.Transport == datapath.UDP {
		return l.datagrams
	}
	return l.streams
}

// take counts one answer to a client's source; false: it has had enough of them.
func (l limiters) take(c datapath.Client) bool { return l.of(c).take(c.Remote.Addr()) }

// give takes back what take counted.
func (l limiters) give(c datapath.Client) { l.of(c).give(c.Remote.Addr()) }
