package control

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is the pauses between attempts: each twice the one before, from low to high, and each shortened by up to half at random, so that many who lost the
// same peer do not come back together.
type backoff struct {
	low, high time.Duration
	next      time.Duration // 0: low
}

func (b *backoff) reset() { b.next = 0 }

// step returns the next pause.
func (b *backoff) step() time.Duration {
	pause := max(b.next, b.low)
	b.next = min(2*pause, b.high)
	return pause - rand.N(pause/2+1)
}

// wait waits for the next pause, or until ctx ends.
func (b *backoff) wait(ctx context.Context) {
	t := time.NewTimer(b.step())
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
