package push

import (
	"context"
	"slices"

	"signalbox/internal/endpoint"
)

// waiter is somebody who waits for the end of a push, or of a fan-out.
type waiter struct {
	changed chan struct{} // capacity 1: there is something new to read
	to      endpoint.Key  // whose push it is; zero: not read yet, or a fan-out
}

// Wait returns the push once its state is final. When ctx ends first it returns the push as it is, with ctx's error. Errors: ErrUnknown, also where the push is deleted
// meanwhile.
func (s *Service) Wait(ctx context.Context, domain string, id ID) (Status, error) {
	w := s.enlist(id)
	defer s.dismiss(id, w)
	for {
		st, err := s.store.Push(ctx, domain, id)
		if err != nil || Final(st.State, st.Ack) {
			return st, err
		}
		s.waitersMu.Lock()
		w.to = st.To
		s.waitersMu.Unlock()
		select {
		case <-w.changed:
		case <-ctx.Done():
			last, err := s.store.Push(context.WithoutCancel(ctx), domain, id)
			if err != nil {
				return st, ctx.Err()
			}
			return last, ctx.Err()
		}
	}
}

// WaitFanout returns the fan-out with its Counts once all targets are final. When ctx ends first it returns the fan-out as it is, with ctx's error. Errors:
// ErrUnknown.
func (s *Service) WaitFanout(ctx context.Context, domain string, id ID) (Fanout, error) {
	w := s.enlist(id)
	defer s.dismiss(id, w)
	for {
		f, err := s.store.FanoutProgress(ctx, domain, id)
		if err == nil && f.Done() {
			return s.store.Fanout(ctx, domain, id)
		}
		if err != nil && ctx.Err() == nil {
			return Fanout{}, err
		}
		select {
		case <-w.changed:
		case <-ctx.Done():
			last, err := s.store.Fanout(context.WithoutCancel(ctx), domain, id)
			if err != nil {
				return Fanout{}, err
			}
			return last, ctx.Err()
		}
	}
}

func (s *Service) enlist(id ID) *waiter {
	s.waitersMu.Lock()
	defer s.waitersMu.Unlock()
	w := &waiter{changed: make(chan struct{}, 1)}
	s.waiters[id] = append(s.waiters[id], w)
	return w
}

func (s *Service) dismiss(id ID, w *waiter) {
	s.waitersMu.Lock()
	defer s.waitersMu.Unlock()
	left := slices.DeleteFunc(s.waiters[id], func(other *waiter) bool { return other == w })
	if len(left) == 0 {
		delete(s.waiters, id)
		return
	}
	s.waiters[id] = left
}

// notify wakes those who wait for the end of a push, or of the fan-out that it is a target of.
func (s *Service) notify(id, fanout ID) {
	s.waitersMu.Lock()
	defer s.waitersMu.Unlock()
	for _, which := range []ID{id, fanout} {
		for _, w := range s.waiters[which] {
			w.wake()
		}
	}
}

// deleted is told of endpoints that are deleted with their pushes, some of which may be targets of a fan-out that is waited for.
func (s *Service) deleted(k endpoint.Key) {
	s.waitersMu.Lock()
	defer s.waitersMu.Unlock()
	for _, all := range s.waiters {
		for _, w := range all {
			if w.to == k || w.to == (endpoint.Key{}) {
				w.wake()
			}
		}
	}
}

func (w *waiter) wake() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}
