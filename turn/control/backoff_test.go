package control

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// timedWay notes when it is tried.
type timedWay struct {
	*pipeWay

	notes sync.Mutex
	tries []time.Time
}

func (w *timedWay) connect(ctx context.Context) (net.Conn, func(), error) {
	w.notes.Lock()
	w.tries = append(w.tries, time.Now())
	w.notes.Unlock()
	return w.pipeWay.connect(ctx)
}

// since returns how long after a time each try came that is not before it.
func (w *timedWay) since(t time.Time) (all []time.Duration) {
	w.notes.Lock()
	defer w.notes.Unlock()
	for _, try := range w.tries {
		if !try.Before(t) {
			all = append(all, try.Sub(t))
		}
	}
	return all
}

// wantPauses compares pauses with the longest that they may be, of which up to half is taken away at random.
func wantPauses(t *testing.T, got, longest []time.Duration) {
	t.Helper()
	if len(got) < len(longest) {
		t.Fatalf("pauses %v, want %d", got, len(longest))
	}
	for i, want := range longest {
		if got[i] > want || got[i] < want/2 {
			t.Errorf("pause %d is %v, want %v to %v", i+1, got[i], want/2, want)
		}
	}
}

// TestPauses: a TURN process that does not come is started again after pauses that double from a tenth of a second to ten seconds, so that the first five leave time for allocations
// within two seconds; behind one that was there for a while they begin anew.
func TestPauses(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		way := &timedWay{pipeWay: &pipeWay{ctx: t.Context()}}
		began := time.Now()
		run(t, newClient(t, way))
		time.Sleep(time.Minute)
		tries := way.since(began)
		pauses := make([]time.Duration, 0, len(tries))
		for i := range tries[1:] {
			pauses = append(pauses, tries[i+1]-tries[i])
		}
		wantPauses(t, pauses, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, longPause, longPause})

		way.become(newFakeServer(newFakeTURN()))
		time.Sleep(longPause + steady + time.Second)
		gone := time.Now()
		way.become(nil)
		time.Sleep(time.Second)
		wantPauses(t, way.since(gone)[:1], []time.Duration{firstPause})
	})
}
