package transport

import (
	"context"
	"sync"
	"time"
)

const (
	wheelTick  = time.Second
	wheelSlots = 512
)

// Wheel runs the timers of many streams on one goroutine, with a precision of one second. It is safe for concurrent use.
type Wheel struct {
	due []*Timer // owned by Run

	mu    sync.Mutex
	tick  int64 // ticks since the start
	slots [wheelSlots]*Timer
}

// Timer belongs to one stream or session. The zero value is not armed; Do must be set before it is.
type Timer struct {
	// Do is called on the wheel's goroutine when the time has come and returns how long to wait for the next call; 0: no more. It must not block.
	Do func(now time.Time) time.Duration

	// guarded by Wheel.mu
	next, prev *Timer
	slot       int
	due        int64
	armed      bool
	stopped    bool
}

// Set arms the timer, or moves it. d is rounded up to whole seconds, at least one.
func (w *Wheel) Set(t *Timer, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.setLocked(t, d)
}

// Stop takes the timer out for good: a call that is under way does not arm it again.
func (w *Wheel) Stop(t *Timer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.stopped = true
	w.removeLocked(t)
}

// Run turns the wheel until ctx is done.
func (w *Wheel) Run(ctx context.Context) {
	ticker := time.NewTicker(wheelTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			w.turn(now)
		}
	}
}

func (w *Wheel) turn(now time.Time) {
	w.mu.Lock()
	w.tick++
	w.takeLocked()
	w.mu.Unlock()
	for i, t := range w.due {
		w.due[i] = nil
		if d := t.Do(now); d > 0 {
			w.Set(t, d)
		}
	}
	w.due = w.due[:0]
}

// takeLocked unlinks the timers that are due and puts them into w.due.
func (w *Wheel) takeLocked() {
	for t := w.slots[w.tick%wheelSlots]; t != nil; {
		next := t.next
		if t.due <= w.tick {
			w.removeLocked(t)
			w.due = append(w.due, t)
		}
		t = next
	}
}

func (w *Wheel) setLocked(t *Timer, d time.Duration) {
	if t.stopped {
		return
	}
	w.removeLocked(t)
	ticks := max(1, int64((d+wheelTick-1)/wheelTick))
	t.due = w.tick + ticks
	t.slot = int(t.due % wheelSlots)
	t.armed = true
	t.next = w.slots[t.slot]
	if t.next != nil {
		t.next.prev = t
	}
	w.slots[t.slot] = t
}

func (w *Wheel) removeLocked(t *Timer) {
	if !t.armed {
		return
	}
	t.armed = false
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.slots[t.slot] = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev = nil, nil
}
