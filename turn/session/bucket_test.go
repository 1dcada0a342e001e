package session

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/turn/control"
	"signalbox/turn/policy"
)

// taken takes packets of a size, headers included, until one is refused, at most limit, and returns how many it got.
func taken(s *Side, size, limit int) (n int) {
	for n < limit && s.Take(size-headers) {
		n++
	}
	return n
}

func TestRateOfASession(t *testing.T) {
	w := newWorld(t, Limits{SessionRate: 10_000}, policy.Config{})
	a, b := w.open(control.Session{ID: "s"})
	other, _ := w.open(control.Session{ID: "other"})
	if got := taken(a, 1000, 5) + taken(b, 1000, 100); got != 10 {
		t.Errorf("both sides take %d packets at once, want the 10 of one second", got)
	}
	if got := taken(other, 1000, 100); got != 10 {
		t.Errorf("another session takes %d packets, want 10", got)
	}
	w.clock.pass(250 * time.Millisecond)
	if got := taken(b, 1000, 100); got != 2 {
		t.Errorf("after a quarter of a second %d packets, want 2", got)
	}
	w.clock.pass(time.Hour)
	if got := taken(a, 1000, 100); got != 10 {
		t.Errorf("after an hour %d packets, want the 10 of one second", got)
	}
	if got := w.Stats(); got.SessionRate != 4 || got.TotalRate != 0 {
		t.Errorf("%d packets were dropped for the session's rate, %d for that of all, want 4 and 0", got.SessionRate, got.TotalRate)
	}
}

// TestRateOfAll: who is slowed down by all others does not pay for it with its own rate.
func TestRateOfAll(t *testing.T) {
	w := newWorld(t, Limits{SessionRate: 10_000, TotalRate: 15_000}, policy.Config{})
	a, _ := w.open(control.Session{ID: "a"})
	b, _ := w.open(control.Session{ID: "b"})
	if one, two := taken(a, 1000, 100), taken(b, 1000, 100); one != 10 || two != 5 {
		t.Errorf("two sessions take %d and %d packets, want 10 and 5", one, two)
	}
	for range 100 {
		b.Take(1000 - headers)
	}
	w.clock.pass(500 * time.Millisecond)
	if got := taken(b, 1000, 100); got != 7 {
		t.Errorf("after half a second the second takes %d packets, want 7", got)
	}
	if got := w.Stats(); got.SessionRate != 1 || got.TotalRate != 102 {
		t.Errorf("%d packets were dropped for the session's rate, %d for that of all, want 1 and 102", got.SessionRate, got.TotalRate)
	}
}

// TestRateBelowOnePacket: no packet is too long for a small rate, it only must wait.
func TestRateBelowOnePacket(t *testing.T) {
	w := newWorld(t, Limits{SessionRate: 100}, policy.Config{})
	a, _ := w.open(control.Session{ID: "s"})
	for range 3 {
		if got := taken(a, 1200, 100); got != 1 {
			t.Errorf("%d packets, want 1", got)
		}
		w.clock.pass(12*time.Second - 1)
		if a.Take(1200 - headers) {
			t.Error("a packet passes before the last one is paid for")
		}
		w.clock.pass(1)
	}
}

// TestEmptyPackets: they have headers.
func TestEmptyPackets(t *testing.T) {
	w := newWorld(t, Limits{SessionRate: 10 * headers}, policy.Config{})
	a, _ := w.open(control.Session{ID: "s"})
	n := 0
	for n < 100 && a.Take(0) {
		n++
	}
	if n != 10 {
		t.Errorf("%d empty packets, want 10", n)
	}
}

func TestRateCanChange(t *testing.T) {
	for _, tc := range []struct {
		own, all int64
		want     int
	}{{0, 0, 100}, {2000, 0, 2}, {0, 3000, 3}, {2000, 3000, 2}, {9000, 3000, 3}} {
		w := newWorld(t, Limits{SessionRate: tc.all}, policy.Config{})
		a, _ := w.open(control.Session{ID: "s", Rate: 1})
		w.open(control.Session{ID: "s", Rate: tc.own})
		if got := taken(a, 1000, 100); got != tc.want {
			t.Errorf("with %d of its own and %d for all %d packets, want %d", tc.own, tc.all, got, tc.want)
		}
	}
}

// TestRateIsShared: many at once get together what one gets alone.
func TestRateIsShared(t *testing.T) {
	w := newWorld(t, Limits{TotalRate: 1_000_000}, policy.Config{})
	a, b := w.open(control.Session{ID: "s"})
	var got atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { got.Add(int64(taken([]*Side{a, b}[i%2], 100, 1<<30))) })
	}
	wg.Wait()
	if got.Load() != 10_000 {
		t.Errorf("%d packets, want 10000", got.Load())
	}
}
