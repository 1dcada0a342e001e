package push

import (
	"time"

	"signalbox/internal/endpoint"
)

// SessionChanged follows the sessions of endpoints, see endpoint.Watcher. It never waits for the disk.
func (s *Service) SessionChanged(c endpoint.Change) {
	switch c.Kind {
	case endpoint.Bound:
		s.endOlder(c)
	case endpoint.Available:
		s.open(c)
	case endpoint.Suspended, endpoint.Unavailable:
		s.suspend(c)
	case endpoint.Resumed:
		s.resume(c)
	case endpoint.Ended:
		s.end(c)
	}
}

func (s *Service) endOlder(c endpoint.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[c.Key]; l != nil && l.epoch < c.Epoch {
		delete(s.lanes, c.Key)
		s.endLane(l)
	}
}

func (s *Service) end(c endpoint.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[c.Key]; l != nil && l.epoch == c.Epoch {
		delete(s.lanes, c.Key)
		s.endLane(l)
	}
}

// open makes a lane for a session, or goes on with the one that it has. A new lane reads the store once everything that older sessions did has been written: the scribe keeps the order.
func (s *Service) open(c endpoint.Change) {
	if l := s.lane(c.Key); l != nil && l.epoch == c.Epoch {
		s.resume(c)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.lanes[c.Key]; old != nil {
		if old.epoch >= c.Epoch {
			return
		}
		s.endLane(old)
	}
	l := &lane{key: c.Key, epoch: c.Epoch, since: c.At, waiting: true}
	s.lanes[c.Key] = l
	s.scribe.add(write{done: func(Outcome, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.state == laneOpening {
			l.state = laneOpen
			s.kickLocked(l)
		}
	}})
}

func (s *Service) suspend(c endpoint.Change) {
	l := s.lane(c.Key)
	if l == nil || l.epoch != c.Epoch {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.suspended = true
	s.expireAllNowLocked(l)
}

func (s *Service) resume(c endpoint.Change) {
	l := s.lane(c.Key)
	if l == nil || l.epoch != c.Epoch {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.suspended, l.stalled, l.since = false, false, c.At
	s.kickLocked(l)
}

// endLane returns to the queue what is on the way to a session that has ended. Service.mu is held for writing, so that a newer lane comes after these writes.
func (s *Service) endLane(l *lane) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.flights {
		if f.phase == settling {
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
