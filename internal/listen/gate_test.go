package listen

import (
	"io"
	"math"
	"net/netip"
	"runtime"
	rtmetrics "runtime/metrics"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// taken returns how many places of the gate are not free.
func (g *gate) taken() int {
	busy, _ := g.places.load()
	return busy
}

// TestGateTakesTurns: who comes alone waits for one of a crowd from elsewhere, not for all.
func TestGateTakesTurns(t *testing.T) {
	g := makeGate(1, time.Now, func() time.Duration { return 0 })
	g.enter(crowd)
	var mu sync.Mutex
	var order []netip.Addr
	var all sync.WaitGroup
	join := func(source netip.Addr, waiting int) {
		all.Go(func() {
			g.enter(source)
			mu.Lock()
			order = append(order, source)
			mu.Unlock()
			g.leave()
		})
		for {
			if _, n := g.places.load(); n == waiting {
				return
			}
			runtime.Gosched()
		}
	}
	for n := range 20 {
		join(crowd, n+1)
	}
	join(other, 21)
	g.leave()
	all.Wait()
	if place := slices.Index(order, other); place > 1 {
		t.Errorf("it is let in behind %d of the crowd", place)
	}
	if g.taken() != 0 {
		t.Errorf("%d places are kept", g.taken())
	}
}

// TestGateFollowsTheProcessor: it narrows to one place while goroutines wait, holds at what is between, and widens again, a step for each look.
func TestGateFollowsTheProcessor(t *testing.T) {
	now := time.Unix(0, 0)
	var waits time.Duration
	g := makeGate(4, func() time.Time { return now }, func() time.Duration { return waits })
	look := func(w time.Duration) int {
		waits, now = w, now.Add(adaptPeriod)
		g.enter(crowd)
		g.leave()
		if g.taken() != 0 || g.places.slots != g.width {
			t.Errorf("width %d, %d places of which %d are taken", g.width, g.places.slots, g.taken())
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
	g.enter(crowd)
	g.leave()
	if g.width != 3 {
		t.Errorf("width %d: it was looked at before it was time", g.width)
	}
}

// TestGateNarrowsWhileTaken: a place that is to go goes when its holder leaves.
func TestGateNarrowsWhileTaken(t *testing.T) {
	now := time.Unix(0, 0)
	g := makeGate(2, func() time.Time { return now }, func() time.Duration { return time.Second })
	g.enter(crowd)
	g.enter(crowd)
	now = now.Add(adaptPeriod)
	g.leave()
	if g.taken() != 1 || g.places.slots != 1 {
		t.Errorf("%d of %d are taken, want 1 of 1", g.taken(), g.places.slots)
	}
	g.leave()
	if g.taken() != 0 {
		t.Errorf("%d are taken", g.taken())
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

// TestTimeAtTheGate: a handshake that had no time because it waited here is not said to be its client's fault.
func TestTimeAtTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, testConfig(), XMPP)
		c := dialPipe(t, w.pipes("tls"))
		elsewhere := netip.MustParseAddr("192.0.2.7")
		for range w.server.gate.most {
			w.server.gate.enter(elsewhere)
		}
		go func() { // ends when the connection is closed
			_, _ = c.Write(clientHello(t))
		}()
		time.Sleep(Default().HandshakeTimeout + time.Second)
		for range w.server.gate.most {
			w.server.gate.leave()
		}
		_, _ = io.Copy(io.Discard, c)
		w.wantClosed(QueueTimeout)
		w.stop()
	})
}
