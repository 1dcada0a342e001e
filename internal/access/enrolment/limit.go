package enrolment

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds of refusals.
const (
	refusalsPerMinute = 10     // of one source; whoever has as many waits for the minute to end
	maxSources        = 10_000 // that are remembered
)

// limiter counts refused enrolments by source. Those that succeed are not counted: a thousand machines may enrol from behind one address. Safe for concurrent use.
type limiter struct {
	now func() time.Time

	mu      sync.Mutex
	sources map[netip.Addr]*minute
}

// minute is one source's count in the minute that began at its first refusal.
type minute struct {
	began   time.Time
	refused int
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, sources: map[netip.Addr]*minute{}}
}

// wait returns how long a source must wait; 0: it need not.
func (l *limiter) wait(from netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.sources[sourceOf(from)]
	if m == nil || m.refused < refusalsPerMinute {
		return 0
	}
	return max(0, m.began.Add(time.Minute).Sub(l.now()))
}

// refused counts a refusal.
func (l *limiter) refused(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	source := sourceOf(from)
	m := l.sources[source]
	if m == nil || now.Sub(m.began) >= time.Minute {
		l.makeRoomLocked(now)
		m = &minute{began: now}
		l.sources[source] = m
	}
	m.refused++
}

// makeRoomLocked forgets minutes that are over, or all if too many are not: what is remembered only keeps strangers from making work.
func (l *limiter) makeRoomLocked(now time.Time) {
	if len(l.sources) < maxSources {
		return
	}
	for source, m := range l.sources {
		if now.Sub(m.began) >= time.Minute {
			delete(l.sources, source)
		}
	}
	if len(l.sources) >= maxSources {
		clear(l.sources)
	}
}

// sourceOf returns what counts as one source: an IPv4 address, or the /64 of an IPv6 address.
func sourceOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if p, err := a.Prefix(64); a.Is6() && err == nil {
		return p.Addr()
	}
	return a
}
