package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// ErrClosed says that the store takes no more writes because Run has ended or is about to.
var ErrClosed = errors.New("the store is closed")

// stallAfter is how long one write may take before nobody new waits behind it. A write that waits for another process's lock takes as long.
const stallAfter = 5 * time.Second

// operation is one change, applied inside a transaction that it shares with others. What its caller may expect to go wrong is a result that it keeps; only what
// must undo the transaction is an error. apply may run again after a failed transaction and begins anew then.
type operation interface {
	apply(t *tx) error
}

// try is an operation of one step, whose caller may expect some of its errors.
type try struct {
	step    func(t *tx) error
	results []error
	result  error
}

func (op *try) apply(t *tx) error { return expected(&op.result, op.step(t), op.results...) }

// entry is an operation in the queue, with whoever waits for it.
type entry struct {
	op   operation
	size int             // rows that it changes, about; at least 1
	ctx  context.Context // of a waiting caller; nil: nobody waits
	done chan error      // buffered; nil: nobody waits
	call func(error)     // called by the answerer; nil: nobody asks
}

// mark reports whether the entry is one that nobody waits for: it stays queued while the disk does not take it.
func (e *entry) mark() bool { return e.done == nil && e.call == nil }

// queue holds what waits for the next transaction, in order, bounded separately for what somebody waits for, for marks and for presences. Presences of one
// endpoint replace each other. All methods may be called concurrently.
type queue struct {
	wake chan struct{} // holds a token while there may be something to take

	mu        sync.Mutex
	entries   []*entry
	requests  int // entries that are not marks
	marks     int // size of the others without presences
	saves     int // presences
	presences queuedPresences
	closed    bool
	begun     time.Time // of the write that runs; zero: none

	maxRequests, maxMarks int
}

func newQueue(maxRequests, maxMarks int) *queue {
	return &queue{wake: make(chan struct{}, 1), presences: newPresences(), maxRequests: maxRequests, maxMarks: maxMarks}
}

// put appends e, or returns push.ErrBusy or ErrClosed.
func (q *queue) put(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case e.mark() && q.marks+e.size > q.maxMarks, !e.mark() && (q.requests >= q.maxRequests || q.stalledLocked()):
		return push.ErrBusy
	}
	q.presences.seal(e.op)
	q.appendLocked(e)
	return nil
}

// putPresence replaces what waits for the same endpoint, or reports false if there is no room.
func (q *queue) putPresence(k endpoint.Key, p endpoint.Presence) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	if q.presences.replace(k, p) {
		return true
	}
	if q.saves >= q.maxMarks {
		return false
	}
	e := &entry{op: &savePresence{key: k, presence: p}, size: 1}
	q.presences.waiting[k] = e
	q.appendLocked(e)
	return true
}

func (q *queue) appendLocked(e *entry) {
	q.count(e, 1)
	q.entries = append(q.entries, e)
	q.wakeUp()
}

// presence returns the newest presence of an endpoint that may not be durable yet.
func (q *queue) presence(k endpoint.Key) (endpoint.Presence, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.presences.newest(k)
}

// unsaved returns the newest presences that may not be durable yet.
func (q *queue) unsaved() map[endpoint.Key]endpoint.Presence {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.presences.all()
}

// settle says that the presences in a batch are durable, or never will be.
func (q *queue) settle(batch []*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range batch {
		q.presences.settle(e)
	}
}

// putBack returns marks that the disk did not take to the front, beyond the limit if need be. A presence yields to a newer one.
func (q *queue) putBack(marks []*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	front := make([]*entry, 0, len(marks)+len(q.entries))
	for _, e := range slices.Backward(marks) { // the newest presence first
		if q.presences.putBack(e) {
			q.count(e, 1)
			front = append(front, e)
		}
	}
	slices.Reverse(front)
	q.entries = append(front, q.entries...)
}

// takeRequests removes all entries that somebody waits for.
func (q *queue) takeRequests() []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var requests []*entry
	q.entries = slices.DeleteFunc(q.entries, func(e *entry) bool {
		if !e.mark() {
			requests = append(requests, e)
		}
		return !e.mark()
	})
	q.requests = 0
	return requests
}

// waiting returns how many requests, and how many entries in all, are queued.
func (q *queue) waiting() (requests, all int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.requests, len(q.entries)
}

// begin says that a write begins, at the time now; the zero time says that it has ended.
func (q *queue) begin(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.begun = now
}

// stalled reports whether the disk neither takes nor refuses the present write: what would be queued behind it, somebody would wait for too long.
func (q *queue) stalled() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stalledLocked()
}

func (q *queue) stalledLocked() bool { return !q.begun.IsZero() && time.Since(q.begun) > stallAfter }

// close refuses everything that comes later.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func (q *queue) count(e *entry, sign int) {
	_, save := e.op.(*savePresence)
	switch {
	case save:
		q.saves += sign
	case e.mark():
		q.marks += sign * e.size
	default:
		q.requests += sign
	}
}

func (q *queue) wakeUp() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
