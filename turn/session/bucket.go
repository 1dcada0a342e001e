package session

import (
	"sync/atomic"
	"time"
)

// burst is how much a bucket holds, as the time in which it fills.
const burst = int64(time.Second)

// bucket is a token bucket of bytes that holds one second of its rate, as the generic cell rate algorithm: one number, the time at which what was taken is paid for.
// It has no lock; a bucket without a rate holds without an end.
type bucket struct {
	rate atomic.Int64 // bytes per second, 0: no limit
	paid atomic.Int64 // nanoseconds on the clock of the callers
}

// take takes n bytes at a time in nanoseconds, or nothing. A full bucket gives more than it holds, so that no datagram is too long for a small rate.
func (b *bucket) take(now int64, n int) bool {
	cost := b.cost(n)
	if cost == 0 {
		return true
	}
	for {
		paid := b.paid.Load()
		start := max(paid, now)
		if start > now && start+cost-now > burst {
			return false
		}
		if b.paid.CompareAndSwap(paid, start+cost) {
			return true
		}
	}
}

// giveBack returns what was taken.
func (b *bucket) giveBack(n int) { b.paid.Add(-b.cost(n)) }

// cost is the time in which n bytes flow in.
func (b *bucket) cost(n int) int64 {
	rate := b.rate.Load()
	if rate <= 0 {
		return 0
	}
	return int64(n) * int64(time.Second) / rate
}
