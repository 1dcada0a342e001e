package campaign

import (
	"time"

	"signalbox/internal/push"
)

// action is what a campaign does next.
type action int

const (
	wait action = iota
	send
	passCanary
	abort
	finish
)

// What a campaign waits for, as the API names it.
const (
	WaitStart  = "start"
	WaitCanary = "canary"
	WaitWindow = "window"
	WaitRate   = "rate"
	WaitEnd    = "results" // all was sent
)

// decision is an action with what belongs to it.
type decision struct {
	action action
	count  int       // targets to send
	until  time.Time // of wait; zero: look again soon
	why    string    // of wait
}

// mostAtOnce is how many targets are sent in one go: other pushes are written in between.
const mostAtOnce = 500

// tally sums up what became of the pushes of a campaign.
type tally struct{ open, failed, over int }

func count(counts push.Counts, ack push.Ack) (t tally) {
	for state, n := range counts {
		switch {
		case !push.Final(state, ack):
			t.open += n
			continue
		case state == push.Failed || state == push.Expired || state == push.Rejected:
			t.failed += n
		}
		t.over += n
	}
	return t
}

// decide says what a running campaign does at a time. It depends on nothing else, so that after a crash the same batch is sent again with the same key.
func (c Campaign) decide(now time.Time, counts push.Counts) decision {
	t := count(counts, c.Push.Ack)
	opened, next := c.Window.Open(now)
	canary := c.canary()
	switch {
	case c.AbortPercent > 0 && t.over >= max(1, c.AbortAfter) && t.failed*100 > c.AbortPercent*t.over:
		return decision{action: abort}
	case c.Sent == c.Targets && t.open == 0:
		return decision{action: finish}
	case c.Sent == c.Targets:
		return decision{why: WaitEnd}
	case now.Before(c.Start):
		return decision{until: c.Start, why: WaitStart}
	case !c.CanaryPassed && canary > 0 && c.Sent >= canary:
		if t.open == 0 || !now.Before(c.CanaryAt.Add(c.CanaryWait)) {
			return decision{action: passCanary}
		}
		return decision{why: WaitCanary}
	case !opened:
		return decision{until: next, why: WaitWindow}
	case now.Before(c.due(now)):
		return decision{until: c.NextAt, why: WaitRate}
	}
	n := min(c.atOnce(), c.Targets-c.Sent)
	if !c.CanaryPassed && canary > 0 {
		n = min(n, canary-c.Sent)
	}
	return decision{action: send, count: n}
}

// atOnce is how many targets are sent in one go: those of a second.
func (c Campaign) atOnce() int {
	if c.Rate == 0 {
		return mostAtOnce
	}
	return min(mostAtOnce, (c.Rate+59)/60)
}

// maxPause is the longest pause between two batches: that of a rate of one target per minute.
const maxPause = time.Minute

// due is NextAt, unless the clock stood ahead when that was written.
func (c Campaign) due(now time.Time) time.Time {
	if c.NextAt.After(now.Add(maxPause)) {
		return now
	}
	return c.NextAt
}

// after returns when the next targets may follow n that are sent at a time.
func (c Campaign) after(at time.Time, n int) time.Time {
	if c.Rate == 0 {
		return at
	}
	if due := c.due(at); due.After(at.Add(-time.Second)) {
		at = due // a tick that came late must not slow the campaign down
	}
	return at.Add(time.Duration(n) * time.Minute / time.Duration(c.Rate))
}

// Waits returns what a running campaign waits for and until when, if that is known; empty: nothing.
func (c Campaign) Waits(now time.Time, counts push.Counts) (why string, until time.Time) {
	if c.State != Running {
		return "", time.Time{}
	}
	d := c.decide(now, counts)
	return d.why, d.until
}
