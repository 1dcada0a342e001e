package listen

import (
	"context"
	"errors"
	"net/netip"
	"sync"
)

// errQueueFull is why enter did not even wait.
var errQueueFull = errors.New("the queue of handshakes is full")

// queue lets at most slots callers in at once. Those who wait are served first in, first out within one source, and the
// sources take turns: thousands of sockets of one address delay others by one turn, not by thousands. One source may fill at most
// half of the room, so that there is some for others. Safe for concurrent use.
type queue struct {
	slots, room int

	mu      sync.Mutex
	busy    int                  // slots taken
	waiting int                  // tickets in lines
	lines   map[netip.Addr]*line // sources with waiting tickets
	first   *line                // the source whose turn it is; the lines form a ring
}

// line is what waits of one source.
type line struct {
	source     netip.Addr
	length     int
	head, tail *ticket
	next, prev *line
}

// ticket is one who waits.
type ticket struct {
	ready      chan struct{} // closed when the slot is his
	line       *line         // nil once it left the line
	next, prev *ticket
}

func newQueue(slots, room int) *queue {
	return &queue{slots: slots, room: room, lines: map[netip.Addr]*line{}}
}

// load returns how many are in and how many wait.
func (q *queue) load() (busy, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.busy, q.waiting
}

// tryEnter takes a slot if one is free, which is only so while nobody waits. Whoever got true calls leave exactly once.
func (q *queue) tryEnter() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy >= q.slots {
		return false
	}
	q.busy++
	return true
}

// enter waits for a slot. Whoever got nil calls leave exactly once. It fails with errQueueFull, or with the context's error.
func (q *queue) enter(ctx context.Context, source netip.Addr) error {
	q.mu.Lock()
	if q.busy < q.slots {
		q.busy++
		q.mu.Unlock()
		return nil
	}
	if q.fullLocked(source) {
		q.mu.Unlock()
		return errQueueFull
	}
	t := q.pushLocked(source)
	q.mu.Unlock()

	select {
	case <-t.ready:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.line == nil { // the slot came in the same moment: hand it on
		q.leaveLocked()
	} else {
		q.dropLocked(t)
	}
	return ctx.Err()
}

// leave gives the slot to the next one.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leaveLocked()
}

// resize changes the number of slots. Those that are to go go when their holders leave.
func (q *queue) resize(slots int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.slots = slots; q.busy < q.slots && q.first != nil; {
		q.busy++
		q.handOnLocked()
	}
}

func (q *queue) leaveLocked() {
	if q.first == nil || q.busy > q.slots {
		q.busy--
		return
	}
	q.handOnLocked()
}

// handOnLocked gives a slot that counts as busy to whoever is next.
func (q *queue) handOnLocked() {
	t := q.first.head
	q.first = q.first.next // before dropLocked, which may take the line out of the ring
	q.dropLocked(t)
	close(t.ready)
}

func (q *queue) fullLocked(source netip.Addr) bool {
	l := q.lines[source]
	return q.waiting >= q.room || l != nil && l.length >= max(1, q.room/2)
}

// pushLocked puts a ticket at the end of its source's line. A new line has its turn after all others.
func (q *queue) pushLocked(source netip.Addr) *ticket {
	l := q.lines[source]
	if l == nil {
		l = &line{source: source}
		q.lines[source] = l
		if q.first == nil {
			q.first, l.next, l.prev = l, l, l
		} else {
			l.next, l.prev = q.first, q.first.prev
			l.prev.next, l.next.prev = l, l
		}
	}
	t := &ticket{ready: make(chan struct{}), line: l, prev: l.tail}
	if l.tail == nil {
		l.head = t
	} else {
		l.tail.next = t
	}
	l.tail = t
	l.length++
	q.waiting++
	return t
}

// dropLocked takes a ticket out of its line, and the line out of the ring when it was the last one.
func (q *queue) dropLocked(t *ticket) {
	l := t.line
	if t.prev == nil {
		l.head = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		l.tail = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.line, t.next, t.prev = nil, nil, nil
	l.length--
	q.waiting--
	if l.head != nil {
		return
	}
	delete(q.lines, l.source)
	if l.next == l {
		q.first = nil
		return
	}
	l.prev.next, l.next.prev = l.next, l.prev
	if q.first == l {
		q.first = l.next
	}
}
