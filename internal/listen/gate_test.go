package listen

import (
	"math"
	rtmetrics "runtime/metrics"
	"testing"
	"time"
)

// taken returns how many places of the gate are not free.
func (g *gate) taken() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.there - len(g.places)
}

// TestGateFollowsTheProcessor: it narrows to one place while goroutines wait, holds at what is between, and widens again, a step for each look.
func TestGateFollowsTheProcessor(t *testing.T) {
	now := time.Unix(0, 0)
	var waits time.Duration
	g := makeGate(4, func() time.Time { return now }, func() time.Duration { return waits })
	look := func(w time.Duration) int {
		waits, now = w, now.Add(adaptPeriod)
		g.enter()
		g.leave()
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.there != g.width || len(g.places) != g.there {
			t.Errorf("width %d, %d places of which %d are free", g.width, g.there, len(g.places))
		}
		return g.width
	}
	for i, step := range []struct {
		waits time.Duration
		want  int
	}{
		{0, 4},
		{3 * time.Millisecond, 3},
		{time.Millisecond, 3},
		{time.Second, 2},
		{time.Second, 1},
		{time.Second, 1},
		{0, 2},
		{widenBelow, 2},
		{0, 3},
	} {
		if got := look(step.waits); got != step.want {
			t.Errorf("step %d: width %d after waits of %v, want %d", i, got, step.waits, step.want)
		}
	}
	waits = time.Second
	g.enter()
	g.leave()
	if g.width != 3 {
		t.Errorf("width %d: it was looked at before it was time", g.width)
	}
}

// TestGateNarrowsWhileTaken: a place that is to go goes when its holder leaves.
func TestGateNarrowsWhileTaken(t *testing.T) {
	now := time.Unix(0, 0)
	g := makeGate(2, func() time.Time { return now }, func() time.Duration { return time.Second })
	g.enter()
	g.enter()
	now = now.Add(adaptPeriod)
	g.leave()
	if len(g.places) != 0 || g.taken() != 1 {
		t.Errorf("%d free, %d taken, want 0 and 1", len(g.places), g.taken())
	}
	g.leave()
	if len(g.places) != 1 || g.taken() != 0 {
		t.Errorf("%d free, %d taken, want 1 and 0", len(g.places), g.taken())
	}
}

func TestWaiting(t *testing.T) {
	var w waiting
	buckets := []float64{0, 1, 2, math.Inf(1)}
	for i, step := range []struct {
		counts []uint64
		want   float64
	}{
		{[]uint64{9, 1, 0}, 1},  // nine of ten waited a second at most
		{[]uint64{9, 1, 0}, 0},  // nothing new
		{[]uint64{17, 3, 0}, 2}, // eight of ten
		{[]uint64{17, 3, 5}, 2}, // what has no end counts as its beginning
	} {
		if got := w.since(&rtmetrics.Float64Histogram{Counts: step.counts, Buckets: buckets}); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
	if d := new(waiting).read(); d < 0 || d > time.Hour {
		t.Errorf("this process: %v", d)
	}
}
