package turnsession

import (
	"context"
	"errors"
	"time"

	"signalbox/internal/telemetry"
)

// end ends a session, unless somebody else has, and returns its record, which the store keeps as it ended first. Once begun it goes on when ctx ends: what is silent has to be noted.
func (s *Service) end(ctx context.Context, l *live, reason string) (Session, error) {
	if err := l.acquire(ctx); err != nil {
		return Session{}, err
	}
	defer l.release()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if !s.ended(l) {
		s.silence(ctx, l, reason)
	}
	return s.note(ctx, l)
}

// Silence ends a session at the TURN server, if it has not ended before, and returns it with its final counters: nothing of it is relayed any more. The end is stored behind that,
// for which it does not wait: whoever goes on must not wait for a disk. Where the TURN server is on another host that does not answer, Silence waits a few seconds for it, and the
// session goes on there until it hears of the end. One whose end is stored, or that the last run left open, is returned as the store has it. Errors: ErrUnknown, those of reading the
// store, that of ctx, with which the session goes on.
func (s *Service) Silence(ctx context.Context, domain string, id ID) (Session, error) {
	l := s.find(domain, id)
	if l == nil {
		return s.store.TURNSession(ctx, domain, id)
	}
	if err := l.acquire(ctx); err != nil {
		return Session{}, err
	}
	if !s.ended(l) {
		s.silence(context.WithoutCancel(ctx), l, ReasonRequested)
	}
	l.release()
	s.nudge() // Run stores it
	record := l.Session
	s.show(l, &record)
	return record, nil
}

// silenceWithin is how long the TURN server may take to end a session, which waits for one on another host: the rest of within is the store's.
const silenceWithin = within / 2

// silence ends a session at the TURN server. Where that does not say what the session has moved, what was counted last is final.
func (s *Service) silence(ctx context.Context, l *live, reason string) {
	ctx, cancel := context.WithTimeout(ctx, silenceWithin)
	defer cancel()
	counters, err := s.turn.End(ctx, l.ID, reason)
	if err != nil {
		s.log.Warn("the TURN server did not say what a session has moved", telemetry.TURNSession(l.ID.String()), telemetry.Cause(err))
	}
	s.metrics.ended.WithLabelValues(reason).Inc()
	end := &End{At: clock(), Reason: reason}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		l.counters, l.counted = counters, end.At
	}
	if !l.counted.IsZero() {
		last := l.counters
		end.Counters, end.Counted = &last, l.counted
	}
	l.end = end
}

// note stores the end of a session that is silent.
func (s *Service) note(ctx context.Context, l *live) (Session, error) {
	record, err := s.store.EndTURNSession(ctx, l.ID, *l.end)
	if err == nil || errors.Is(err, ErrUnknown) { // it may never have been kept, see undo
		s.forget(l)
	}
	return record, err
}

// count asks the TURN server what a session has moved; where it does not answer, what it said last stays.
func (s *Service) count(ctx context.Context, l *live) {
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	counters, err := s.turn.Counters(ctx, l.ID)
	now := clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || l.end != nil {
		return
	}
	l.counters, l.counted = counters, now
}

// countWithin is how long whoever asks waits for counters.
const countWithin = 2 * time.Second
