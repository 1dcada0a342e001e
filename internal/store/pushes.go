package store

import (
	"context"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// Push implements push.Reader.
func (s *Store) Push(ctx context.Context, domain string, id push.ID) (push.Status, error) {
	return s.reader.push(ctx, domain, id)
}

// WaitingPushes implements push.Reader. Pushes with TTL 0 are left out: nothing of them is kept that could be sent.
func (s *Store) WaitingPushes(ctx context.Context, k endpoint.Key, after push.Cursor, limit int) ([]push.Push, error) {
	return s.reader.waiting(ctx, k, after, limit)
}

// Fanout implements push.Reader.
func (s *Store) Fanout(ctx context.Context, domain string, id push.ID) (push.Fanout, error) {
	f, err := s.reader.fanout(ctx, domain, id)
	if err == nil {
		f.Counts, err = s.reader.countsOf(ctx, f)
	}
	return f, err
}

// FanoutProgress implements push.Reader.
func (s *Store) FanoutProgress(ctx context.Context, domain string, id push.ID) (push.Fanout, error) {
	return s.reader.fanout(ctx, domain, id)
}

// Deliveries implements push.Reader.
func (s *Store) Deliveries(ctx context.Context, domain string, fanout push.ID, state push.State, after push.ID, limit int) ([]push.Status, error) {
	return s.reader.deliveries(ctx, domain, fanout, state, after, limit)
}

// CountWaiting implements push.Reader.
func (s *Store) CountWaiting(ctx context.Context, k endpoint.Key) (int, error) {
	return s.reader.countWaiting(ctx, k)
}

// Pushes implements push.Reader.
func (s *Store) Pushes(ctx context.Context, k endpoint.Key, state push.State, before push.ID, limit int) ([]push.Status, error) {
	return s.reader.pushes(ctx, k, state, before, limit)
}

// CountMembers implements push.Reader.
func (s *Store) CountMembers(ctx context.Context, domain string, sel push.Selector, limit int) (int, error) {
	return s.reader.countMatching(ctx, domain, sel, limit)
}
