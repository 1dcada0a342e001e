package transport

import (
	"context"
	"sync"
	"time"
)

const (
	wheelTick  = time.Second
	wheelSlots = 512
	readySlot  = wheelSlots // holds the timers whose time has come

	// Thousands of timers can be due at the same tick, because one event set them all. Their calls are spread over the tick, a few at a time: whatever they start
	// would otherwise stand before everybody else's work.
	wheelTogether = 16
	wheelPause    = 2 * time.Millisecond // at most, between two groups
	wheelSpread   = wheelTick * 8 / 10   // the rest of the tick is for what the calls take
)

// Wheel runs the timers of many streams on one goroutine, with a precision of one second. It is safe for concurrent use.
type Wheel struct {
	group []*Timer // owned by Run

	mu    sync.Mutex
	tick  int64 // ticks since the start
	slots [wheelSlots + 1]*Timer
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
			w.turn(ctx, now)
		}
	}
}

// turn calls the timers that are due at the next tick.
func (w *Wheel) turn(ctx context.Context, now time.Time) {
	due := w.advance()
	pause := min(wheelPause, wheelSpread*wheelTogether/time.Duration(max(1, due)))
	for w.call(now) && ctx.Err() == nil {
		if time.Since(now) < wheelSpread {
			time.Sleep(pause)
		}
	}
}

// advance moves the timers of the next tick to the ready slot, where they can still be moved and stopped, and returns how many there are.
func (w *Wheel) advance() (due int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tick++
	for t := w.slots[w.tick%wheelSlots]; t != nil; {
		next := t.next
		if t.due <= w.tick {
			w.removeLocked(t)
			w.insertLocked(t, readySlot)
			due++
		}
		t = next
	}
	return due
}

// call calls a group of the timers that are ready, and reports whether there are more.
func (w *Wheel) call(now time.Time) (more bool) {
	w.mu.Lock()
	for t := w.slots[readySlot]; t != nil && len(w.group) < wheelTogether; t = w.slots[readySlot] {
		w.removeLocked(t)
		w.group = append(w.group, t)
	}
	more = w.slots[readySlot] != nil
	w.mu.Unlock()
	for i, t := range w.group {
		w.group[i] = nil
		if d := t.Do(now); d > 0 {
			w.Set(t, d)
		}
	}
	w.group = w.group[:0]
	return more
}

func (w *Wheel) setLocked(t *Timer, d time.Duration) {
	if t.stopped {
		return
	}
	w.removeLocked(t)
	ticks := max(1, int64((d+wheelTick-1)/wheelTick))
	t.due = w.tick + ticks
	w.insertLocked(t, int(t.due%wheelSlots))
}

func (w *Wheel) insertLocked(t *Timer, slot int) {
	t.slot, t.armed = slot, true
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
