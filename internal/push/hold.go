package push

import "time"

// unhold ends what a write held back. The endpoint's session may be another one by now: its lane may have sent the push again before the receipt came.
func (s *Service) unhold(t Transition, err error) {
	l := s.lane(t.Key)
	switch {
	case l == nil && err != nil:
		s.requeue(t)
	case l == nil:
	case err == nil:
		s.release(l, t.ID)
	default:
		s.restore(l, t)
	}
}

// release forgets a flight and lets the lane go on.
func (s *Service) release(l *lane, id ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropLocked(id)
	s.kickLocked(l)
}

// restore takes back a change that could not be written: the push counts as on the way again, so that the end of the session returns it to the queue. One that
// this session was not sent, as far as is known here, returns at once.
func (s *Service) restore(l *lane, t Transition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.findLocked(t.ID)
	switch {
	case f != nil && f.phase != settling: // sent again meanwhile
	case f == nil || f.created.IsZero():
		s.requeue(t)
		l.dropLocked(t.ID)
	default:
		f.phase = written
		l.onWay++
	}
}

// requeue returns a push to the queue that no session has on its way: the store refuses that where the push was not sent. It may be called with any lock held.
func (s *Service) requeue(t Transition) {
	s.scribe.add(write{
		t: Transition{ID: t.ID, To: Accepted, Key: t.Key, At: time.Now(), Reason: ReasonRedelivery},
		done: func(_ Outcome, err error) {
			if err == nil { // no lock is held: only the end of the scribe calls back at once
				s.wakeLane(t.Key, false)
			}
		},
	})
}
