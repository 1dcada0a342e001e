package agent

import (
	"errors"
	"time"

	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/login"
)

// Bounds of the wait between two connections.
const (
	baseWait      = time.Second
	maxWait       = time.Minute
	throttledWait = 10 * time.Second // at least, from a server that has too much to do and does not say when to come back
	refusedWait   = time.Minute      // at least, from a server that refuses the agent itself; doubled with each time
	maxRefused    = 8 * time.Minute  // of that
	awaitedWait   = 3 * time.Second  // at most, while a remote session runs, as it does at few agents: it is ended a minute after the endpoint was lost (signalling.ReturnWithin), and an attempt may take 12 seconds
	settled       = time.Hour        // a session that lived so long was no struggle for an identity
)

// backoff says how long to wait before the next connection: decorrelated jitter, so that a fleet that lost its server together does not come
// back together. The zero value needs random.
type backoff struct {
	prev    time.Duration
	refusal time.Duration       // the least wait after the newest of several refusals; 0: none
	hinted  bool                // the newest wait was the server's, and no session came of it
	random  func(n int64) int64 // 0 <= result < n
	awaited func() bool         // whether somebody waits for the agent to come back; nil: nobody ever does
}

// next returns the wait after a connection that lived so long and ended with err.
func (b *backoff) next(lived time.Duration, err error) time.Duration {
	f := diagnose(err)
	conflict := f != nil && f.Code == ladder.Cloned.Code
	if lived >= maxWait {
		b.prev, b.hinted = 0, false
	}
	if lived >= settled || !conflict && !refused(f) {
		b.refusal = 0
	}
	var se *login.StreamError
	hint := errors.As(err, &se) && se.Retry >= 0
	wait := b.own(f, conflict)
	if !hint {
		b.hinted = false
		return wait
	}
	after := se.Retry + b.between(0, time.Second) // the hint has whole seconds: spread within
	if b.hinted {                                 // a server that says "now" again and again is not taken at its word
		after = max(after, wait)
	}
	b.hinted = true
	return after
}

// own returns the wait where the server gave no hint.
func (b *backoff) own(f *ladder.Failure, conflict bool) time.Duration {
	switch {
	case conflict || refused(f): // another holds this identity: two that hurry would throw each other out for ever; or somebody has to change something first
		b.refusal = min(max(2*b.refusal, refusedWait), maxRefused)
		return b.between(b.refusal, 2*b.refusal)
	case f != nil && (f.Code == ladder.Throttled.Code || f.Code == ladder.AuthUnavailable.Code):
		b.prev = max(b.prev, throttledWait)
		return max(throttledWait, b.grow())
	}
	return b.grow()
}

func (b *backoff) grow() time.Duration {
	b.prev = min(maxWait, b.between(baseWait, max(3*b.prev, 3*baseWait)))
	if b.prev > awaitedWait && b.awaited != nil && b.awaited() {
		return b.between(baseWait, awaitedWait)
	}
	return b.prev
}

func (b *backoff) between(low, high time.Duration) time.Duration {
	return low + time.Duration(b.random(int64(high-low)))
}
