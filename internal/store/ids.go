package store

import (
	"time"

	"signalbox/internal/push"
)

const (
	epochMillis = 1577836800000 // 2020-01-01T00:00:00Z
	counterBits = 22
)

// nextID returns an id greater than last. It holds the time unless the clock stands behind last, where it only counts on.
func nextID(last int64, now time.Time) int64 {
	return max(last+1, int64(idAt(now)))
}

// idAt returns the smallest id of a push accepted at t, 0 before 2020.
func idAt(t time.Time) push.ID {
	ms := t.UnixMilli() - epochMillis
	if ms < 0 {
		return 0
	}
	return push.ID(ms << counterBits)
}
