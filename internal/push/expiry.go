package push

import (
	"context"
	"time"

	"signalbox/internal/telemetry"
)

const (
	expirePeriod = time.Second // between two looks for pushes whose TTL is over
	expireChunk  = 500         // pushes expired in one transaction
)

// expireAll ends pushes whose TTL is over until ctx is done. It logs the first failure of a row.
func (s *Service) expireAll(ctx context.Context) {
	ticks := time.NewTicker(expirePeriod)
	defer ticks.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		now := time.Now()
		if !s.scribe.wait(ctx) {
			return
		}
		err := s.expire(ctx, now)
		if err != nil && !failing && ctx.Err() == nil {
			s.log.Warn("pushes could not be expired", telemetry.Cause(err))
		}
		failing = err != nil
	}
}

// expire ends pushes whose TTL was over at now until none is left. Everything that came before now must be written: what was handled in time has not expired,
// however late the disk took the word of that.
func (s *Service) expire(ctx context.Context, now time.Time) error {
	for ctx.Err() == nil {
		ended, err := s.store.ExpirePushes(ctx, now, expireChunk)
		for i := range ended {
			s.expired(&ended[i])
		}
		if err != nil || len(ended) < expireChunk {
			return err
		}
	}
	return nil
}

// expired frees the place that an expired push had in its endpoint's window.
func (s *Service) expired(st *Status) {
	s.m.transitions[st.State].Inc()
	s.notify(st.ID, st.Fanout)
	if l := s.lane(st.To); l != nil {
		s.release(l, st.ID)
	}
}
