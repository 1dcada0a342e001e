package push

import (
	"context"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
)

const (
	clockPeriod  = time.Second // between two looks for pushes that are due, and for late joiners
	releaseChunk = 500         // pushes that one call of the store releases
)

// Admitted is a target that came to match a fan-out after its acceptance.
type Admitted struct {
	ID     ID // of its push
	Fanout ID
	To     endpoint.Key
	Reason string // why it was refused; empty: it was accepted
}

// Admission is what AdmitLate did.
type Admission struct {
	Targets []Admitted
	Ended   []Ended
}

// watchClock releases pushes that are due and admits late joiners until ctx is done. It asks the store each time what the clock says now, so neither a restart
// nor a clock that is set can make it miss anything. It logs the first failure of a row.
func (s *Service) watchClock(ctx context.Context) {
	ticks := time.NewTicker(clockPeriod)
	defer ticks.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		err := s.releaseDue(ctx)
		if err == nil {
			err = s.admitLate(ctx)
		}
		if err != nil && !failing && ctx.Err() == nil {
			s.log.Warn("pushes could not be released, or late joiners not be admitted", telemetry.Cause(err))
		}
		failing = err != nil
	}
}

// releaseDue lets pushes that are due wait for their sessions.
func (s *Service) releaseDue(ctx context.Context) error {
	for ctx.Err() == nil {
		keys, err := s.store.ReleasePushes(ctx, time.Now(), releaseChunk)
		for _, k := range keys {
			s.wakeLane(k, false)
		}
		if err != nil || len(keys) == 0 {
			return err
		}
	}
	return nil
}

// admitLate makes targets of endpoints that came to match a fan-out.
func (s *Service) admitLate(ctx context.Context) error {
	for ctx.Err() == nil {
		c, tickets := &claim{s: s}, map[endpoint.Key]ticket{}
		out, more, err := s.store.AdmitLate(context.WithoutCancel(ctx), time.Now(), s.bound(), c.take, func(k endpoint.Key) {
			if _, again := tickets[k]; !again {
				tickets[k] = s.enter(k)
			}
		})
		c.end(out.Ended)
		for _, t := range out.Targets {
			if t.Reason == "" {
				s.m.accepted.Inc()
			}
		}
		for k, t := range tickets {
			s.wakeLane(k, true)
			s.leave(t)
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}
