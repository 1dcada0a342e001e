package turnsession

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"signalbox/internal/endpoint"
)

// SessionChanged implements endpoint.Watcher: an endpoint that is seen at another address is a peer of the other side there. While it is offline the last address
// counts: its session may only have lost its connection.
func (s *Service) SessionChanged(c endpoint.Change) {
	if c.Kind != endpoint.Bound && c.Kind != endpoint.Resumed {
		return
	}
	if s.sight(c.Key, addressOf(c.Session)) {
		s.nudge()
	}
}

// sight notes where an endpoint is, and reports whether that is new to one of its sessions.
func (s *Service) sight(k endpoint.Key, at netip.Addr) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.parties[k] {
		if side := l.sideOf(k.ID); l.seen[side] != at {
			l.seen[side], news = at, true
		}
	}
	return news
}

// Observe says where the party of a side is seen that is no endpoint's: it is a peer of the other side there. The zero address: nowhere. Sessions that are not open and sides of
// endpoints, whose sightings count, are left alone. It does not block.
func (s *Service) Observe(id ID, side Side, at netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.live[id]
	if l == nil || l.Endpoints[side] != "" {
		return
	}
	if at = at.Unmap().WithZone(""); l.seen[side] != at {
		l.seen[side] = at
		s.nudge()
	}
}

// lookAgain notes where all parties are: an endpoint that resumes its session from elsewhere while the old connection still counts as open is no Change.
func (s *Service) lookAgain() {
	s.mu.Lock()
	keys := slices.Collect(maps.Keys(s.parties))
	s.mu.Unlock()
	for _, k := range keys {
		if session, online := s.sightings.Session(k); online {
			s.sight(k, addressOf(session))
		}
	}
}

// PartyDeleted is told of an endpoint that was deleted: it is no party any more, nor is whoever gets its id next, and where it was seen is no peer. It does not block.
func (s *Service) PartyDeleted(k endpoint.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.parties[k] {
		l.seen[l.sideOf(k.ID)] = netip.Addr{}
	}
	delete(s.parties, k)
	s.nudge()
}

func addressOf(session endpoint.Session) netip.Addr {
	return session.Facts().Remote.Addr().Unmap().WithZone("")
}

// look notes where the endpoints of a new session are. What SessionChanged has said meanwhile is newer.
func (s *Service) look(l *live) {
	for side := range l.Endpoints {
		k, ok := l.Party(Side(side))
		if !ok {
			continue
		}
		if session, online := s.sightings.Session(k); online {
			at := addressOf(session)
			s.mu.Lock()
			if !l.seen[side].IsValid() && slices.Contains(s.parties[k], l) { // it may have been deleted meanwhile
				l.seen[side] = at
			}
			s.mu.Unlock()
		}
	}
}

// tell has the TURN server serve a session as it is now. The session is acquired.
func (s *Service) tell(ctx context.Context, l *live) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	s.mu.Lock()
	seen := l.seen
	s.mu.Unlock()
	err := s.turn.Open(ctx, Grant{
		ID: l.ID, Expires: l.Expires, Technician: l.Technician, AllowPeers: l.AllowPeers, MaxAllocations: l.MaxAllocations, Rate: l.Rate,
		Observed: [2]netip.Addr{A: seen[B], B: seen[A]},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s.mu.Lock()
	l.told = seen
	s.mu.Unlock()
	return nil
}

// retellWithin is how long the TURN server may take to hear where an endpoint is seen now: what is due behind that waits, and so does who ends the session.
const retellWithin = time.Second

// retell tells the TURN server where endpoints are seen now.
func (s *Service) retell(ctx context.Context, l *live) error {
	ctx, cancel := context.WithTimeout(ctx, retellWithin)
	defer cancel()
	if err := l.acquire(ctx); err != nil {
		return err
	}
	defer l.release()
	if s.ended(l) {
		return nil
	}
	return s.tell(ctx, l)
}

// ended reports whether the TURN server serves a session no more.
func (s *Service) ended(l *live) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.end != nil
}
