package turnsession

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"signalbox/internal/endpoint"
)

// live is a session that is open, or whose end is not stored yet.
type live struct {
	Session               // as it was opened; nobody changes it
	work    chan struct{} // holds an element while somebody tells the TURN server or the store of a change

	// Guarded by Service.mu.
	seen     [2]netip.Addr // where the party of each side was seen last, see SessionChanged and Observe; zero: nowhere
	told     [2]netip.Addr // of these, what the TURN server knows
	counters Counters
	counted  time.Time
	end      *End // nil: it is open; set by who holds work
}

// acquire waits until nobody else tells of changes.
func (l *live) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.work <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *live) release() { <-l.work }

// admit gives out an id and a place among those that are open, acquired for its caller. Errors: ErrTooMany, ErrUnavailable once Run has ended.
func (s *Service) admit(domain string, spec Spec, by Caller) (*live, error) {
	now := clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrUnavailable
	case len(s.live) >= MaxOpen:
		return nil, ErrTooMany
	}
	s.last = nextID(s.last, now)
	l := &live{work: make(chan struct{}, 1), Session: Session{ID: s.last, Domain: domain, Spec: spec, By: by, Created: now, Expires: now.Add(spec.TTL)}}
	l.work <- struct{}{}
	s.live[l.ID] = l
	for side := range l.Endpoints {
		if k, ok := l.Party(Side(side)); ok {
			s.parties[k] = append(s.parties[k], l)
		}
	}
	s.metrics.open.Set(float64(len(s.live)))
	return l, nil
}

// forget takes a session whose end is stored from its place.
func (s *Service) forget(l *live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, l.ID)
	for side := range l.Endpoints {
		k, ok := l.Party(Side(side))
		if !ok {
			continue
		}
		left := slices.DeleteFunc(s.parties[k], func(o *live) bool { return o == l })
		if s.parties[k] = left; len(left) == 0 {
			delete(s.parties, k)
		}
	}
	s.metrics.open.Set(float64(len(s.live)))
}

// find returns nil for what is neither open nor waits for its end to be stored.
func (s *Service) find(domain string, id ID) *live {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.live[id]; l != nil && l.Domain == domain {
		return l
	}
	return nil
}

// newestOf returns the newest open session of a party and its side, or nil.
func (s *Service) newestOf(k endpoint.Key, now time.Time) (*live, Side) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range slices.Backward(s.parties[k]) {
		if l.end == nil && now.Before(l.Expires) {
			return l, l.sideOf(k.ID)
		}
	}
	return nil, A
}

// sideOf returns the side of one of the endpoints.
func (l *live) sideOf(id string) Side {
	if l.Endpoints[A] == id {
		return A
	}
	return B
}

// show puts what is known here over a record.
func (s *Service) show(l *live, record *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.counted.IsZero() {
		record.Counters, record.Counted = l.counters, l.counted
	}
	if l.end != nil {
		record.Ended, record.Reason = l.end.At, l.end.Reason
	}
}

// those returns the sessions for which want is true; it is called with the lock held.
func (s *Service) those(want func(*live) bool) (all []*live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.live {
		if want(l) {
			all = append(all, l)
		}
	}
	return all
}

// isLive reports whether a session is one of this run.
func (s *Service) isLive(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[id] != nil
}
