package diagnosis

import (
	"net/netip"
	"slices"
	"time"

	"signalbox/internal/endpoint"
)

// turn is a takeover: a newer session took the place of an open one from this address.
type turn struct {
	at   time.Time
	from netip.Addr
}

// Turns within turnWindow that make a quarrel: two programs with one identity, of which each throws the other out. A machine that moves from network to network takes
// over its own sessions, too, and does not come back to where it was in between.
const (
	turnWindow = 10 * time.Minute
	manyTurns  = 3
	turnBytes  = 48
)

// SessionChanged implements endpoint.Watcher: it remembers takeovers. Who logs in over a session that lost its connection, or beside one, takes nothing from anybody.
func (m *Memory) SessionChanged(c endpoint.Change) {
	if c.Kind != endpoint.Ended || !c.Open {
		return
	}
	from := place(c.Session.Facts().Remote.Addr())
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.endpoints.touch(c.Key)
	if len(r.turns) == maxTurns {
		r.turns = slices.Delete(r.turns, 0, 1)
	} else {
		r.size += turnBytes
		m.endpoints.used += turnBytes
	}
	r.turns = append(r.turns, turn{c.At, from})
	m.endpoints.shrink()
}

// quarrel is two programs that log in as one endpoint. The zero value means that there is none.
type quarrel struct {
	turns  int // in the last minutes
	at     time.Time
	places []netip.Addr // of the sessions that lost, and of the one that is there; at most maxTurns+1
}

// quarrel looks at the takeovers of an endpoint that is, or was last, at an address; not valid: nobody knows.
func (m *Memory) quarrel(k endpoint.Key, now netip.Addr) quarrel {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.endpoints.records[k].quarrel(now)
}

func (r *record[K]) quarrel(now netip.Addr) (q quarrel) {
	if r == nil {
		return quarrel{}
	}
	since := time.Now().Add(-turnWindow)
	var path []netip.Addr
	for _, t := range r.turns {
		if !t.at.Before(since) {
			q.turns, q.at, path = q.turns+1, t.at, append(path, t.from)
		}
	}
	if q.turns < manyTurns {
		return quarrel{}
	}
	if now.IsValid() {
		path = append(path, place(now))
	}
	moves := slices.Compact(path)
	for _, p := range moves {
		if !slices.Contains(q.places, p) {
			q.places = append(q.places, p)
		}
	}
	if len(moves) > 1 && len(moves) == len(q.places) { // it was nowhere twice
		return quarrel{}
	}
	return q
}

// Quarrels returns the ids of endpoints as which two programs log in and throw each other out, in their order.
func (m *Memory) Quarrels() (ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, r := range m.endpoints.records {
		if r.quarrel(netip.Addr{}).turns > 0 {
			ids = append(ids, k.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
