package push

import (
	"context"
	"errors"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
)

// work is one round of a worker on a lane: it reads what waits, sends what fits, then decides about the pushes with TTL 0.
func (s *Service) work(ctx context.Context, l *lane) {
	limit, delayed, ok := s.beginRound(l)
	if !ok {
		return
	}
	var found []Push
	var err error
	if limit > 0 {
		// What is on the way may still be Accepted in the store, so the read starts at the head and leaves room for it.
		found, err = s.store.WaitingPushes(ctx, l.key, Cursor{}, limit)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("waiting pushes could not be read", telemetry.Cause(err))
	}
	chosen := s.choose(l, found, limit, err)
	for i, p := range chosen {
		if !s.live(l) {
			err = endpoint.ErrOffline
		} else {
			err = s.send(l, p, delayed && s.waited(l, p))
		}
		if err != nil {
			s.giveBack(l, chosen[i:])
			break
		}
	}
	s.decide(l)
	s.disown(l)
}

// beginRound takes the lane over and says how many pushes to read, 0 for none, and whether they count as delayed.
func (s *Service) beginRound(l *lane) (limit int, delayed, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queued = false
	if !l.wantsLocked(s.cfg.Window) {
		return 0, false, false
	}
	l.owned = true
	if !l.waiting || !l.takesLocked(s.cfg.Window) {
		return 0, false, true
	}
	delayed = !l.brief
	l.waiting, l.brief = false, false // a push that comes from here on may escape the read and says so again
	l.reading = true
	l.rounds++
	return s.cfg.Window - l.onWay + len(l.flights), delayed, true
}

// choose launches what may be sent of what was read, in its order, and expires what is over.
func (s *Service) choose(l *lane, found []Push, limit int, err error) []Push {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.reading, l.gone = false, nil }()
	if err != nil {
		s.stallLocked(l)
		return nil
	}
	if l.state != laneOpen {
		return nil
	}
	chosen := found[:0]
	for _, p := range found {
		switch {
		case p.TTL == 0 || l.knowsLocked(p.ID): // TTL 0 never waits
		case s.claimed(p.ID): // if it is not ended after all, it goes before those behind it; who claimed it wakes the lane
			l.waitLocked(true)
			l.blocked = true
			return chosen
		case !now.Before(p.Expires()):
			l.holdLocked(p.ID)
			s.scribe.add(write{t: Transition{ID: p.ID, To: Expired, Key: l.key, At: now, Reason: ReasonTTL}, held: true})
		case l.onWay >= s.cfg.Window:
			l.waitLocked(false)
			return chosen
		default:
			l.launchLocked(p)
			chosen = append(chosen, p)
		}
	}
	if limit > 0 && len(found) == limit {
		l.waitLocked(false)
	}
	return chosen
}

// decide sends or expires the pushes with TTL 0 that wait for the lane's owner. While others wait only because requests ran side by side, the next round
// decides.
func (s *Service) decide(l *lane) {
	for {
		l.mu.Lock()
		if len(l.now) == 0 || l.waiting && l.brief && l.takesLocked(s.cfg.Window) {
			l.mu.Unlock()
			return
		}
		u := l.now[0]
		l.now = l.now[1:]
		if len(l.now) == 0 {
			l.now = nil
		}
		if l.waiting || !l.takesLocked(s.cfg.Window) {
			l.mu.Unlock()
			s.expireNow(u)
			continue
		}
		l.launchLocked(u.push)
		l.mu.Unlock()
		s.sendUrgent(l, u)
	}
}

// waited reports whether a push is older than the session's readiness to take it. One that came while the lane was busy did not wait unless that took a second,
// the unit of the time that goes with a delayed push.
func (s *Service) waited(l *lane, p Push) bool {
	l.mu.Lock()
	since := l.since
	l.mu.Unlock()
	return !p.Created.After(since) || time.Since(p.Created) >= time.Second
}

// sendUrgent sends a push with TTL 0 that was launched, or expires it.
func (s *Service) sendUrgent(l *lane, u urgent) {
	err := s.send(l, u.push, false)
	if err == nil {
		u.verdict <- verdict{}
		return
	}
	l.mu.Lock()
	mine := l.findLocked(u.push.ID) != nil
	l.dropLocked(u.push.ID)
	l.mu.Unlock()
	if mine {
		s.expireNow(u)
	} else {
		u.verdict <- verdict{} // the end of the session expires it
	}
}

// live reports whether the lane's session takes pushes.
func (s *Service) live(l *lane) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == laneOpen && !l.pausedLocked()
}

// send puts a launched push on the wire. The lane's mutex is not held: the sender may call back at once.
func (s *Service) send(l *lane, p Push, delayed bool) error {
	id := p.ID // the closure would take the whole push to the heap
	err := s.sender.Send(l.key, l.epoch, p, delayed, func(at time.Time) { s.wrote(l, id, at) })
	if err != nil && !errors.Is(err, endpoint.ErrFull) && !errors.Is(err, endpoint.ErrOffline) {
		s.log.Error("a push could not be handed to its session", telemetry.Push(p.ID.String()), telemetry.Cause(err))
	}
	return err
}

// giveBack leaves in the store what the session did not take. A newer push with its collapse key, or the cancel of its fan-out, may have spared one because it seemed to be
// on its way: the store is asked once more.
func (s *Service) giveBack(l *lane, ps []Push) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range ps {
		if f := l.findLocked(p.ID); f != nil && (p.CollapseKey != "" || f.spared) {
			s.reconsider(p)
		}
		l.dropLocked(p.ID)
	}
	s.stallLocked(l)
}

// stallLocked notes that the lane cannot go on before something changes or a tick passes.
func (s *Service) stallLocked(l *lane) {
	l.waitLocked(false)
	if !l.stalled {
		l.stalled = true
		s.pool.later(l)
	}
}

// disown ends what a goroutine does on a lane.
func (s *Service) disown(l *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owned = false
	s.kickLocked(l)
}

// wrote is told that the write of a push to the connection returned. For a push without acknowledgement that is the end, which the store must know before
// the queue is read again; the others keep their place in the window.
func (s *Service) wrote(l *lane, id ID, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.findLocked(id)
	if f == nil || f.phase != handed {
		return // the session ended, or the receipt was faster
	}
	w := write{t: Transition{ID: id, To: Sent, Key: l.key, At: at}, lazy: true}
	if f.ack == AckNone {
		l.holdLocked(id)
		w.held, w.lazy = true, false
	} else {
		f.phase = written
	}
	s.scribe.add(w)
	l.stalled = false
	s.kickLocked(l)
}
