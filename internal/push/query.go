package push

import (
	"context"
	"fmt"
	"time"

	"signalbox/internal/endpoint"
)

// Status returns one push without its payload, or ErrUnknown.
func (s *Service) Status(ctx context.Context, domain string, id ID) (Status, error) {
	return s.store.Push(ctx, domain, id)
}

// List returns up to limit pushes, newest first, before the given id (0: from the newest), of one endpoint or of all of its domain (empty ID), in one state
// or in all (empty).
func (s *Service) List(ctx context.Context, k endpoint.Key, state State, before ID, limit int) ([]Status, error) {
	return s.store.Pushes(ctx, k, state, before, limit)
}

// CountWaiting returns how many pushes of the endpoint are not final.
func (s *Service) CountWaiting(ctx context.Context, k endpoint.Key) (int, error) {
	return s.store.CountWaiting(ctx, k)
}

// Cancel ends a push that still waits and returns it, once that is durable. When ctx ends first the push may be cancelled all the same. Errors: ErrUnknown; with
// the push as it is, an error that wraps ErrState if it does not wait any more, or ErrBusy where another cancel of it, or too many of others, wait for the disk.
func (s *Service) Cancel(ctx context.Context, domain string, id ID) (Status, error) {
	st, err := s.store.Push(ctx, domain, id)
	if err != nil {
		return Status{}, err
	}
	if st.State != Accepted {
		return st, fmt.Errorf("%w: it is %s", ErrState, st.State)
	}
	if err := s.claimCancel(id); err != nil {
		return st, err
	}
	outcomes := make(chan verdict, 1)
	w := write{
		t: Transition{ID: id, To: Cancelled, Key: st.To, At: time.Now(), Reason: ReasonCancelled},
		done: func(o Outcome, err error) {
			s.unclaimCancel(id)
			outcomes <- verdict{outcome: o, err: err}
		},
	}
	if err := s.hold(st.TTL, w); err != nil {
		s.unclaimCancel(id)
		return st, err
	}
	select {
	case v := <-outcomes:
		return s.cancelled(ctx, domain, id, v)
	case <-ctx.Done():
		return st, ctx.Err()
	}
}

// maxCancels bounds the cancels that wait for the disk, whose callers may have left: they must not take the places of receipts.
const maxCancels = 4096

func (s *Service) claimCancel(id ID) error {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	if _, runs := s.cancels[id]; runs || len(s.cancels) >= maxCancels {
		return ErrBusy
	}
	s.cancels[id] = struct{}{}
	return nil
}

func (s *Service) unclaimCancel(id ID) {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	delete(s.cancels, id)
}

// hold writes the end of a waiting push so that it cannot be sent meanwhile. No lane can come before the write is queued, since that needs mu for writing,
// and a lane that comes later reads after it. One with TTL 0 never waits: its request hands it over without the store, or expires it. Errors: one that wraps ErrState where
// the push is on its way, ErrBusy, ErrStopped.
func (s *Service) hold(ttl time.Duration, w write) error {
	if ttl == 0 {
		return fmt.Errorf("%w: it is handed over now or never", ErrState)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	l := s.lanes[w.t.Key]
	if l == nil {
		return s.scribe.offer(w)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.findLocked(w.t.ID); f != nil {
		f.spared = true
		return fmt.Errorf("%w: it is on its way to the endpoint", ErrState)
	}
	w.held = true
	l.rounds++ // a request whose push it is must not hand it over past the store
	if err := s.scribe.offer(w); err != nil {
		return err
	}
	l.holdLocked(w.t.ID)
	return nil
}

func (s *Service) cancelled(ctx context.Context, domain string, id ID, v verdict) (Status, error) {
	if v.err != nil {
		return Status{}, v.err
	}
	st, err := s.store.Push(ctx, domain, id)
	if err == nil && !v.outcome.Applied {
		err = fmt.Errorf("%w: it is %s", ErrState, st.State)
	}
	return st, err
}
