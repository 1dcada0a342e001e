package websocket

import "time"

// Control frames carry nothing for the stream, whose limits do not hold for them: so many may come per second for long, and so many at once.
const (
	controlRate  = 5
	controlBurst = 50
)

// bucket holds a token for each control frame that may still come. The zero value is full.
type bucket struct {
	used float64 // tokens
	last time.Time
}

// take is false when too many came.
func (b *bucket) take(now time.Time) bool {
	b.used = max(0, b.used-controlRate*now.Sub(b.last).Seconds()) + 1
	b.last = now
	return b.used <= controlBurst
}
