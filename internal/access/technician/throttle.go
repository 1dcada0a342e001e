package technician

import (
	"net/netip"
	"sync"
	"time"
)

// limit says how many attempts may fail before each further one has to wait, and for how long at most. The wait doubles with each failure, beginning with a second.
type limit struct {
	free int
	most time.Duration
}

// Attempts are counted for a name from one place, for a place whatever the name, and for a name wherever they come from. The last wait is short, so that strangers cannot
// lock somebody out for long, and does not hold at all for a place from which that name has signed in.
var (
	limitPair   = limit{free: 5, most: 15 * time.Minute}
	limitSource = limit{free: 20, most: 15 * time.Minute}
	limitName   = limit{free: 20, most: 30 * time.Second}
)

const (
	forgetAfter = time.Hour // without an attempt
	maxCounted  = 10_000    // of each sort; beyond, those that were not tried for longest are forgotten
	maxPlaces   = 10_000    // pairs that have signed in, likewise
)

// throttle counts attempts to sign in. All methods may be called concurrently.
type throttle struct {
	mu      sync.Mutex
	pairs   tallies[pair]
	sources tallies[netip.Prefix]
	names   tallies[string]
	good    map[pair]time.Time // that have signed in, and when last
}

type pair struct {
	name   string
	source netip.Prefix
}

func newThrottle() *throttle {
	return &throttle{pairs: tallies[pair]{}, sources: tallies[netip.Prefix]{}, names: tallies[string]{}, good: map[pair]time.Time{}}
}

// sourceOf is the network that one subscriber has: an address of IPv4, 64 bits of IPv6.
func sourceOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil { // not known: all such share one count
		return netip.Prefix{}
	}
	return p
}

// begin counts an attempt as one that fails, so that many at a time are counted too, and returns how often it has failed for this name from there. Where it has to wait
// nothing is counted. The empty name, that of links, is not counted by itself: strangers could have everybody wait.
func (t *throttle) begin(now time.Time, name string, source netip.Prefix) (failures int, wait time.Duration) {
	p := pair{name, source}
	t.mu.Lock()
	defer t.mu.Unlock()
	wait = max(t.pairs.wait(now, p, limitPair), t.sources.wait(now, source, limitSource))
	if _, known := t.good[p]; !known && name != "" {
		wait = max(wait, t.names.wait(now, name, limitName))
	}
	if wait > 0 {
		return t.pairs[p].failures, wait
	}
	t.sources.count(now, source)
	t.names.count(now, name)
	return t.pairs.count(now, p), 0
}

// succeeded takes back what begin has counted, with all failures of this name from there.
func (t *throttle) succeeded(now time.Time, name string, source netip.Prefix) {
	p := pair{name, source}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pairs, p)
	t.sources.undo(source)
	t.names.undo(name)
	if len(t.good) >= maxPlaces {
		dropOldest(t.good, func(at time.Time) time.Time { return at })
	}
	t.good[p] = now
}

// undo takes back what begin has counted, where it was not found out whether the attempt fails.
func (t *throttle) undo(name string, source netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pairs.undo(pair{name, source})
	t.sources.undo(source)
	t.names.undo(name)
}

// tally is how often in a row something failed, and when last.
type tally struct {
	failures int
	last     time.Time
}

type tallies[K comparable] map[K]tally

// wait returns how long the next attempt has to wait.
func (t tallies[K]) wait(now time.Time, k K, l limit) time.Duration {
	c, there := t[k]
	if !there || now.Sub(c.last) > forgetAfter || c.failures < l.free {
		return 0
	}
	wait := l.most
	if doubled := c.failures - l.free; doubled < 20 {
		wait = min(wait, time.Second<<doubled)
	}
	return max(0, c.last.Add(wait).Sub(now))
}

// count adds a failure and returns how many there are.
func (t tallies[K]) count(now time.Time, k K) int {
	c := t[k]
	if now.Sub(c.last) > forgetAfter {
		c.failures = 0
		if len(t) >= maxCounted {
			dropOldest(t, func(c tally) time.Time { return c.last })
		}
	}
	c.failures++
	c.last = now
	t[k] = c
	return c.failures
}

func (t tallies[K]) undo(k K) {
	if c, there := t[k]; there && c.failures > 1 {
		c.failures--
		t[k] = c
	} else {
		delete(t, k)
	}
}

// dropOldest forgets a tenth of what there is, or what is about as old, to make room.
func dropOldest[M ~map[K]V, K comparable, V any](m M, at func(V) time.Time) {
	var oldest, newest time.Time
	for _, v := range m {
		if oldest.IsZero() || at(v).Before(oldest) {
			oldest = at(v)
		}
		if at(v).After(newest) {
			newest = at(v)
		}
	}
	until := oldest.Add(newest.Sub(oldest) / 10)
	for k, v := range m {
		if !at(v).After(until) {
			delete(m, k)
		}
	}
}
