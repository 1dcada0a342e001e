package push

import (
	"context"
	"errors"
	"time"
)

// Fanout returns a fan-out with the number of its targets in each state, or ErrUnknown.
func (s *Service) Fanout(ctx context.Context, domain string, id ID) (Fanout, error) {
	return s.store.Fanout(ctx, domain, id)
}

// FanoutProgress returns a fan-out without the number of its targets in each state, or ErrUnknown.
func (s *Service) FanoutProgress(ctx context.Context, domain string, id ID) (Fanout, error) {
	return s.store.FanoutProgress(ctx, domain, id)
}

// Deliveries returns up to limit targets of a fan-out behind the given id (0: from the first), the oldest first, in one state or in all (empty). Of a fan-out that
// does not exist there are none.
func (s *Service) Deliveries(ctx context.Context, domain string, fanout ID, state State, after ID, limit int) ([]Status, error) {
	return s.store.Deliveries(ctx, domain, fanout, state, after, limit)
}

// CancelFanout ends every target that still waits, and late joining, and returns the fan-out with its Counts, once that is durable. A target that is on its way may still be
// received; one that comes back without a receipt is cancelled as well. When ctx ends first, some targets may be cancelled. Errors: ErrUnknown, ErrBusy, ErrNoSpace.
func (s *Service) CancelFanout(ctx context.Context, domain string, id ID) (Fanout, error) {
	if err := s.store.CloseFanout(ctx, domain, id); err != nil {
		return Fanout{}, err
	}
	for after := ID(0); ; {
		waiting, err := s.store.Deliveries(ctx, domain, id, Accepted, after, maxBatch)
		if err != nil {
			return Fanout{}, err
		}
		if err := s.cancelAll(ctx, waiting); err != nil {
			return Fanout{}, err
		}
		if len(waiting) < maxBatch {
			return s.store.Fanout(ctx, domain, id)
		}
		after = waiting[len(waiting)-1].ID
	}
}

// cancelAll ends those of these pushes that still wait.
func (s *Service) cancelAll(ctx context.Context, waiting []Status) error {
	answers, offered := make(chan error, len(waiting)), 0
	var refused error
	for _, st := range waiting {
		if err := s.claimCancel(st.ID); err != nil {
			refused = err
			break
		}
		id := st.ID
		err := s.hold(st.TTL, write{
			t:    Transition{ID: id, To: Cancelled, Key: st.To, At: time.Now(), Reason: ReasonCancelled},
			done: func(_ Outcome, err error) { s.unclaimCancel(id); answers <- err },
		})
		switch {
		case err == nil:
			offered++
			continue
		case !errors.Is(err, ErrState):
			refused = err
		}
		s.unclaimCancel(id)
	}
	for range offered {
		select {
		case err := <-answers:
			refused = errors.Join(refused, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return refused
}
