package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/push"
)

// pulseAgain is how long Pulse waits where the queue is full before it tries again.
const pulseAgain = 100 * time.Millisecond

// Pulse returns nil when the writer has answered an empty transaction, also where the answer is that the disk takes nothing: who says that lives. It waits for the answer until ctx is done. After Run has ended, there is no
// writer to ask and Pulse returns nil.
func (s *Store) Pulse(ctx context.Context) error {
	again := time.NewTicker(pulseAgain)
	defer again.Stop()
	for {
		err := s.try(ctx, func(*tx) error { return nil })
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("the store's writer does not answer: %w", ctx.Err())
		case !errors.Is(err, push.ErrBusy):
			return nil // it has been refused by the disk, or everything has ended
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}
