package listen

import (
	"context"
	"math"
	"net/netip"
	"runtime"
	rtmetrics "runtime/metrics"
	"sync"
	"time"
)

// gate bounds how many handshakes compute at the same time, while any number of them reads and writes. Without it a storm of handshakes stands between the scheduler
// and every session that only wants to answer a ping, and every request of the API.
//
// Its width follows how long goroutines of this process wait for a processor: it is the widest while they hardly wait, so that no processor is idle while a handshake
// waits for something else, and narrows to one place when they do. Sources take turns here as they do in the queue of handshakes: a handshake enters several times, and
// would else wait each time for all those that a storm from elsewhere has begun. Safe for concurrent use.
type gate struct {
	places *queue
	most   int // the widest
	now    func() time.Time
	waits  func() time.Duration // since the last call; see waiting

	mu    sync.Mutex
	width int // places that there are to be
	next  time.Time
}

// The width is looked at when a handshake leaves, once in adaptPeriod at most. A tenth of the goroutines may wait up to narrowAbove for a processor; the gate widens
// where they wait less than widenBelow.
const (
	adaptPeriod = 50 * time.Millisecond
	narrowAbove = 2 * time.Millisecond
	widenBelow  = 500 * time.Microsecond
)

// newGate lets at most twice as many in as can run.
func newGate() *gate { return makeGate(2*runtime.GOMAXPROCS(0), time.Now, new(waiting).read) }

func makeGate(most int, now func() time.Time, waits func() time.Duration) *gate {
	return &gate{places: newQueue(most, math.MaxInt), most: most, now: now, waits: waits, width: most}
}

// enter waits for a place, and returns for how long; nobody keeps one for longer than a few milliseconds of computing.
func (g *gate) enter(source netip.Addr) time.Duration {
	if g.places.tryEnter() {
		return 0
	}
	began := g.now()
	_ = g.places.enter(context.Background(), source) // there is room for all, and the context has no end
	return g.now().Sub(began)
}

func (g *gate) leave() {
	g.adapt()
	g.places.leave()
}

// adapt changes the width by one, if it is time.
func (g *gate) adapt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if now.Before(g.next) {
		return
	}
	g.next = now.Add(adaptPeriod)
	switch waited := g.waits(); {
	case waited > narrowAbove && g.width > 1:
		g.width--
	case waited < widenBelow && g.width < g.most:
		g.width++
	default:
		return
	}
	g.places.resize(g.width)
}

// waiting measures how long goroutines are ready to run before they run. One goroutine at a time uses it.
type waiting struct {
	sample [1]rtmetrics.Sample
	before []uint64
}

// read returns how long nine of ten goroutines waited at most since the last call; 0: none did, or nobody knows.
func (w *waiting) read() time.Duration {
	w.sample[0].Name = "/sched/latencies:seconds"
	rtmetrics.Read(w.sample[:])
	if w.sample[0].Value.Kind() != rtmetrics.KindFloat64Histogram {
		return 0
	}
	h := w.sample[0].Value.Float64Histogram()
	return time.Duration(w.since(h) * float64(time.Second))
}

// since returns the upper end of the bucket that holds the ninth of ten new counts.
func (w *waiting) since(h *rtmetrics.Float64Histogram) float64 {
	fresh := make([]uint64, len(h.Counts))
	var all, seen uint64
	for i, n := range h.Counts {
		fresh[i] = n
		if i < len(w.before) {
			fresh[i] -= w.before[i]
		}
		all += fresh[i]
	}
	w.before = append(w.before[:0], h.Counts...)
	for i, n := range fresh {
		if seen += n; n > 0 && seen*10 >= all*9 {
			if upper := h.Buckets[i+1]; !math.IsInf(upper, 0) {
				return upper
			}
			return h.Buckets[i]
		}
	}
	return 0
}
