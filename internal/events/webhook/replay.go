package webhook

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"signalbox/internal/events"
)

// Replay says what is sent again. One of the three is set.
type Replay struct {
	Seq    int64     // events behind this number
	From   time.Time // events since this time
	Failed bool      // only those that were given up
}

// Replay sends events again, in their order, with their ids as they were, and returns behind which number that begins, or how many were given up. Errors: ErrUnknown,
// ErrDisabled, *FieldError where nothing so old is kept.
func (s *Service) Replay(ctx context.Context, id string, r Replay) (after int64, revived int, err error) {
	in, err := s.Webhook(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	if !in.Enabled {
		return 0, 0, ErrDisabled
	}
	if r.Failed {
		revived, err = s.revive(ctx, id)
		return in.Cursor, revived, err
	}
	b, err := s.deps.Outbox.EventBounds(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("replay: %w", err)
	}
	if after = r.Seq; !r.From.IsZero() {
		if after, err = s.before(ctx, r.From, b); err != nil {
			return 0, 0, fmt.Errorf("replay: %w", err)
		}
	}
	switch {
	case after < b.Deleted:
		return 0, 0, &FieldError{"seq", fmt.Sprintf("events up to %d are not kept any more", b.Deleted)}
	case after > b.Newest:
		return 0, 0, &FieldError{"seq", fmt.Sprintf("the newest event is %d", b.Newest)}
	}
	err = s.alter(ctx, id, func(w *Webhook) error {
		w.Cursor = min(w.Cursor, after) // what waits is sent anyway
		return nil
	})
	return after, 0, err
}

// revive has what was given up tried again.
func (s *Service) revive(ctx context.Context, id string) (n int, err error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	ctx, cancel := whole(ctx)
	defer cancel()
	snapshot := s.halt(id)
	n, err = s.deps.Store.ReviveWebhookAside(ctx, id)
	s.again(ctx, id, snapshot)
	return n, err
}

// before returns the number of the newest event before a time: events lie in the order of their times, but for clocks that were set.
func (s *Service) before(ctx context.Context, at time.Time, b events.Bounds) (int64, error) {
	var failure error
	n := sort.Search(int(b.Newest-b.Deleted), func(i int) bool {
		list, err := s.deps.Outbox.ReadEvents(ctx, b.Deleted+int64(i), 1)
		if err != nil || len(list) == 0 {
			failure = errors.Join(failure, err)
			return true
		}
		return !list[0].At.Before(at)
	})
	return b.Deleted + int64(n), failure
}
