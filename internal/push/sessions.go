package push

import (
	"time"

	"signalbox/internal/endpoint"
)

// SessionChanged follows the sessions of endpoints, see endpoint.Watcher. It never waits for the disk.
func (s *Service) SessionChanged(c endpoint.Change) {
	switch c.Kind {
	case endpoint.Bound:
		s.open(c)
	case endpoint.Ended:
		s.end(c)
	default:
		s.turn(c)
	}
}

// open makes a lane for a session, in place of that of an older one.
func (s *Service) open(c endpoint.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.lanes[c.Key]; old != nil {
		if old.epoch >= c.Epoch {
			return
		}
		s.endLane(old)
	}
	l := &lane{key: c.Key, epoch: c.Epoch, since: c.At, away: true, waiting: true}
	s.lanes[c.Key] = l
	s.barLocked(l)
}

// barLocked keeps a new lane from reading the store before everything that older sessions did has been written: the scribe keeps the order. An endpoint has one
// barrier in the scribe's queue, however often its sessions change while the disk stands still.
func (s *Service) barLocked(l *lane) {
	if _, stands := s.barriers[l.key]; stands {
		return
	}
	s.barriers[l.key] = struct{}{}
	s.scribe.add(write{done: func(_ Outcome, err error) {
		if err == nil { // no lock is held: only the end of the scribe calls back at once
			s.pass(l)
		}
	}})
}

// pass opens the lane whose barrier has settled, or sets up one for the newer lane that came meanwhile.
func (s *Service) pass(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.barriers, l.key)
	newest := s.lanes[l.key]
	switch {
	case newest == nil:
	case newest != l:
		s.barLocked(newest)
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.state = laneOpen
		s.kickLocked(l)
	}
}

// turn follows what stops and starts the flow of pushes to a session.
func (s *Service) turn(c endpoint.Change) {
	l := s.lane(c.Key)
	if l == nil || l.epoch != c.Epoch {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch c.Kind {
	case endpoint.Available:
		l.away = false
	case endpoint.Unavailable:
		l.away = true
	case endpoint.Suspended:
		l.suspended = true
	case endpoint.Resumed:
		l.suspended = false
	}
	if l.pausedLocked() {
		s.expireAllNowLocked(l)
		return
	}
	l.stalled, l.since = false, c.At
	s.kickLocked(l)
}

func (s *Service) end(c endpoint.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[c.Key]; l != nil && l.epoch == c.Epoch {
		delete(s.lanes, c.Key)
		s.endLane(l)
	}
}

// endLane returns to the queue what is on the way to a session that has ended. A push with TTL 0 that was written stays as it is: the answer may come in the next
// session. Service.mu is held for writing, so that a newer lane comes after these writes.
func (s *Service) endLane(l *lane) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.flights {
		if f.phase == settling || f.now && f.phase == written {
			continue
		}
		// For what was handed over and not written the store refuses this: it is Accepted already.
		t := Transition{ID: f.id, To: Accepted, Key: l.key, At: now, Reason: ReasonRedelivery}
		if f.now {
			t.To, t.Reason = Expired, ReasonOffline
		}
		s.scribe.add(write{t: t})
	}
	l.state, l.flights, l.gone, l.onWay = laneEnded, nil, nil, 0
	s.expireAllNowLocked(l)
}

func (s *Service) expireAllNowLocked(l *lane) {
	for _, u := range l.now {
		s.expireNow(u)
	}
	l.now = nil
}
