package diagnosis

import (
	"net/netip"
	"slices"
	"time"

	"signalbox/internal/endpoint"
)

// turn is a takeover: a newer session took the place of the one from this address.
type turn struct {
	at   time.Time
	from netip.Addr
}

// Turns within turnWindow that make a quarrel: two programs with one identity, of which each throws the other out.
const (
	turnWindow = 10 * time.Minute
	manyTurns  = 3
	turnBytes  = 48
)

// SessionChanged implements endpoint.Watcher: it remembers takeovers.
func (m *Memory) SessionChanged(c endpoint.Change) {
	if c.Kind != endpoint.Ended || c.Reason.Name != endpoint.ReasonReplaced.Name {
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
	places []netip.Addr // of the sessions that lost, at most maxTurns
}

func (m *Memory) quarrel(k endpoint.Key) (q quarrel) {
	since := time.Now().Add(-turnWindow)
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.endpoints.records[k]
	if r == nil {
		return quarrel{}
	}
	for _, t := range r.turns {
		if t.at.Before(since) {
			continue
		}
		q.turns, q.at = q.turns+1, t.at
		if !slices.Contains(q.places, t.from) {
			q.places = append(q.places, t.from)
		}
	}
	if q.turns < manyTurns {
		return quarrel{}
	}
	return q
}

// Quarrels returns the ids of endpoints as which two programs log in and throw each other out, in their order.
func (m *Memory) Quarrels() (ids []string) {
	since := time.Now().Add(-turnWindow)
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, r := range m.endpoints.records {
		n := 0
		for _, t := range r.turns {
			if !t.at.Before(since) {
				n++
			}
		}
		if n >= manyTurns {
			ids = append(ids, k.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
