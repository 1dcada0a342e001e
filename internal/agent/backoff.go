package agent

import (
	"errors"
	"time"
)

// Bounds of the wait between two connections.
const (
	baseWait = time.Second
	maxWait  = time.Minute
)

// backoff says how long to wait before the next connection: decorrelated jitter, so that a fleet that lost its server together does not come
// back together. The zero value needs random.
type backoff struct {
	prev   time.Duration
	random func(n int64) int64 // 0 <= result < n
}

// next returns the wait after a connection that lived so long and ended with err.
func (b *backoff) next(lived time.Duration, err error) time.Duration {
	if lived >= maxWait {
		b.prev = 0
	}
	var se *streamError
	if errors.As(err, &se) {
		switch {
		case se.retry >= 0:
			return se.retry + b.between(0, time.Second) // the hint has whole seconds: spread within
		case se.condition == conditionConflict: // another holds this identity: two that hurry would throw each other out for ever
			return b.between(maxWait, 2*maxWait)
		}
	}
	if errors.Is(err, errAuth) { // no haste: somebody has to change something first
		return b.between(maxWait, 2*maxWait)
	}
	b.prev = min(maxWait, b.between(baseWait, max(3*b.prev, 3*baseWait)))
	return b.prev
}

func (b *backoff) between(low, high time.Duration) time.Duration {
	return low + time.Duration(b.random(int64(high-low)))
}
