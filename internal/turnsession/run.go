package turnsession

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"signalbox/internal/telemetry"
)

const (
	lookEvery  = time.Second // between two looks at all sessions
	countEvery = time.Minute // between two notes of what they have moved: what is known if the server is killed
	atOnce     = 32          // sessions that are told of, counted or ended at the same time
	saveChunk  = 500         // counters that one transaction takes
)

// Run notes the end of the sessions of the last run, then ends sessions whose time is over and tells the TURN server of changes, until ctx is done; then it ends all that
// are open. The TURN server and the store must run until it returns.
func (s *Service) Run(ctx context.Context) error {
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	left, failed, counted := true, false, time.Now()
	for {
		var errs [3]error
		if left {
			errs[0] = s.endLast(ctx)
			left = errs[0] != nil
		}
		errs[1] = s.carryOn(ctx, time.Now())
		if time.Since(counted) >= countEvery {
			counted = time.Now()
			errs[2] = s.countAll(ctx)
		}
		failed = s.report(ctx, errors.Join(errs[:]...), failed)
		select {
		case <-ctx.Done():
			return s.stop(context.WithoutCancel(ctx))
		case <-ticks.C:
		case <-s.wake:
		}
	}
}

// report logs what could not be done, unless that was so the last time, and returns whether there is anything.
func (s *Service) report(ctx context.Context, err error, before bool) bool {
	if err != nil && !before && ctx.Err() == nil {
		s.log.Warn("what is due of TURN sessions cannot be done; it is tried again until it can", telemetry.Cause(err))
	}
	return err != nil
}

// endLast notes the end of sessions that the last run left open, which it does where it ends without a word.
func (s *Service) endLast(ctx context.Context) error {
	ids, err := s.store.OpenTURNSessions(ctx)
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, id := range ids {
		if s.isLive(id) {
			continue
		}
		g.Go(func() error {
			_, err := s.endLeft(ctx, id)
			return err
		})
	}
	return g.Wait()
}

// endLeft notes the end of one session of the last run.
func (s *Service) endLeft(ctx context.Context, id ID) (Session, error) {
	at := clock()
	record, err := s.store.EndTURNSession(ctx, id, End{At: at, Reason: ReasonRestarted})
	if err == nil && record.Reason == ReasonRestarted && record.Ended.Equal(at) { // nobody else was faster
		s.metrics.ended.WithLabelValues(ReasonRestarted).Inc()
	}
	return record, err
}

// carryOn does what is due and nobody is at, ends before all else: they must not wait for a TURN server that is away.
func (s *Service) carryOn(ctx context.Context, now time.Time) error {
	s.lookAgain()
	over := func(l *live) bool { return l.end != nil || !now.Before(l.Expires) }
	ends := s.those(func(l *live) bool { return len(l.work) == 0 && over(l) })
	err := forAll(ends, func(l *live) error {
		_, err := s.end(ctx, l, ReasonExpired)
		return err
	})
	return errors.Join(err, s.retellAll(ctx, s.those(func(l *live) bool { return len(l.work) == 0 && !over(l) && l.seen != l.told })))
}

// retellAll tells the TURN server of several sessions, and of no more once it does not answer.
func (s *Service) retellAll(ctx context.Context, all []*live) error {
	var away atomic.Bool
	return forAll(all, func(l *live) error {
		if away.Load() {
			return nil
		}
		err := s.retell(ctx, l)
		if errors.Is(err, ErrUnavailable) {
			away.Store(true)
		}
		return err
	})
}

// forAll does something with several sessions, some at the same time, and returns one of the errors.
func forAll(all []*live, do func(*live) error) error {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, l := range all {
		g.Go(func() error {
			if err := do(l); !errors.Is(err, ErrUnknown) { // was never kept, see undo
				return err
			}
			return nil
		})
	}
	return g.Wait()
}

// countAll counts all open sessions and notes it.
func (s *Service) countAll(ctx context.Context) error {
	open := s.those(func(l *live) bool { return l.end == nil })
	_ = forAll(open, func(l *live) error { s.count(ctx, l); return nil })
	for len(open) > 0 {
		n := min(saveChunk, len(open))
		if err := s.store.SaveTURNCounters(ctx, s.countsOf(open[:n])); err != nil {
			return err
		}
		open = open[n:]
	}
	return nil
}

// countsOf returns what sessions have moved, of those of which it is known.
func (s *Service) countsOf(all []*live) []Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	var counts []Count
	for _, l := range all {
		if !l.counted.IsZero() {
			counts = append(counts, Count{ID: l.ID, Counters: l.counters, At: l.counted})
		}
	}
	return counts
}

// stop ends all sessions, because the TURN server ends next. What cannot be noted in time, the next run notes.
func (s *Service) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := forAll(s.those(func(*live) bool { return true }), func(l *live) error {
		_, err := s.end(ctx, l, ReasonStopping)
		return err
	})
	s.report(ctx, err, false)
	return nil
}
