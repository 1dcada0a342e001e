package main

import (
	"context"
	"fmt"
	"time"
)

// What has no other way of telling is asked again after pollFirst, then less and less often.
const (
	pollFirst = 20 * time.Millisecond
	pollLast  = 500 * time.Millisecond
)

// await calls look until it is true or fails, ctx is done or the time is over.
func await(ctx context.Context, what string, limit time.Duration, look func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit))
	defer cancel()
	for pause := pollFirst; ; pause = min(pause*3/2, pollLast) {
		ok, err := look(ctx)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case err != nil:
			return fmt.Errorf("%s: %w", what, err)
		case ok:
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
