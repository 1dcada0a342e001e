package push

import (
	"errors"
	"time"

	"signalbox/internal/endpoint"
)

// claim keeps the waiting pushes that a new one puts an end to from being sent while that is written. The store asks for each of them inside the transaction, so
// the question and the answer are about the same push. One request uses it: take is called by the store between the request and its answer, end after that.
type claim struct {
	s    *Service
	held map[ID]endpoint.Key // nil: none
}

// newClaim returns a claim for the request for p; nil if that can put an end to nothing.
func (s *Service) newClaim(p Push) *claim {
	if p.CollapseKey == "" && s.cfg.QueuePolicy != DropOldest {
		return nil
	}
	return &claim{s: s}
}

// ask returns what the store asks.
func (c *claim) ask() Claim {
	if c == nil {
		return nil
	}
	return c.take
}

// take is a Claim.
func (c *claim) take(k endpoint.Key, id ID) bool {
	if _, mine := c.held[id]; mine {
		return true // the transaction is tried again
	}
	s := c.s
	s.reserve(id) // before the look at the lane: whoever launches it later sees the claim
	if l := s.lane(k); l != nil {
		l.mu.Lock()
		flies := l.findLocked(id) != nil
		l.rounds++ // a request whose push it is must not hand it over past the store
		l.mu.Unlock()
		if flies {
			s.unreserve(id, k)
			return false
		}
	}
	if c.held == nil {
		c.held = map[ID]endpoint.Key{}
	}
	c.held[id] = k
	return true
}

// end lets go of what was held, when the answer of the store is there: what was ended by it is not found by the next read, but a read that runs may have seen it.
func (c *claim) end(ended []Ended) {
	if c == nil {
		return
	}
	s := c.s
	for _, e := range ended {
		if l := s.lane(c.held[e.ID]); l != nil {
			l.mu.Lock()
			if l.reading {
				l.gone = append(l.gone, e.ID)
			}
			l.mu.Unlock()
		}
		s.m.transitions[e.State].Inc()
		s.notify(e.ID, e.Fanout)
	}
	for id, k := range c.held {
		s.unreserve(id, k)
	}
}

// reconsider asks the store to end a waiting push that a newer one with its collapse key, or a cancel, has spared; until then it is not sent. The lane's mutex may be held.
func (s *Service) reconsider(p Push) {
	s.reserve(p.ID)
	s.scribe.add(write{
		t: Transition{ID: p.ID, To: Accepted, Key: p.To, At: time.Now(), Reason: ReasonRedelivery},
		done: func(_ Outcome, err error) {
			if !errors.Is(err, ErrStopped) { // no lock is held: only the end of the scribe calls back at once
				s.unreserve(p.ID, p.To)
			}
		},
	})
}

// reserve keeps a push from being sent until unreserve.
func (s *Service) reserve(id ID) {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	s.claims[id]++
}

// unreserve ends reserve, and lets the lane of the push's endpoint go on.
func (s *Service) unreserve(id ID, k endpoint.Key) {
	s.keysMu.Lock()
	if s.claims[id]--; s.claims[id] == 0 {
		delete(s.claims, id)
	}
	s.keysMu.Unlock()
	if l := s.lane(k); l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.blocked = false
		l.waitLocked(true)
		s.kickLocked(l)
	}
}

// claimed reports whether a transaction that runs may end the push. A lane's mutex may be held.
func (s *Service) claimed(id ID) bool {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	return s.claims[id] > 0
}
