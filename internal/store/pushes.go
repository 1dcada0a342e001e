package store

import (
	"context"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// Push implements push.Reader.
func (s *Store) Push(ctx context.Context, domain string, id push.ID) (push.Status, error) {
	return s.reader.pushes.Push(ctx, domain, id)
}

// WaitingPushes implements push.Reader. Pushes with TTL 0 are left out: nothing of them is kept that could be sent.
func (s *Store) WaitingPushes(ctx context.Context, k endpoint.Key, after push.Cursor, limit int) ([]push.Push, error) {
	return s.reader.pushes.Waiting(ctx, k, after, limit)
}

// Fanout implements push.Reader.
func (s *Store) Fanout(ctx context.Context, domain string, id push.ID) (push.Fanout, error) {
	f, err := s.reader.pushes.Fanout(ctx, domain, id)
	if err == nil {
		f.Counts, err = s.reader.pushes.CountsOf(ctx, f)
	}
	return f, err
}

// FanoutProgress implements push.Reader.
func (s *Store) FanoutProgress(ctx context.Context, domain string, id push.ID) (push.Fanout, error) {
	return s.reader.pushes.Fanout(ctx, domain, id)
}

// Deliveries implements push.Reader.
func (s *Store) Deliveries(ctx context.Context, domain string, fanout push.ID, state push.State, after push.ID, limit int) ([]push.Status, error) {
	return s.reader.pushes.Deliveries(ctx, domain, fanout, state, after, limit)
}

// CountWaiting implements push.Reader.
func (s *Store) CountWaiting(ctx context.Context, k endpoint.Key) (int, error) {
	return s.reader.pushes.CountWaiting(ctx, k)
}

// Pushes implements push.Reader.
func (s *Store) Pushes(ctx context.Context, k endpoint.Key, state push.State, before push.ID, limit int) ([]push.Status, error) {
	return s.reader.pushes.Pushes(ctx, k, state, before, limit)
}

// CountMembers implements push.Reader.
func (s *Store) CountMembers(ctx context.Context, domain string, sel push.Selector, limit int) (int, error) {
	return s.reader.pushes.CountMembers(ctx, domain, sel, limit)
}
