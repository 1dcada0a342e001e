package store

import (
	"context"
	"errors"
	"slices"
	"sync"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// ErrClosed says that the store takes no more writes because Run has ended or is about to.
var ErrClosed = errors.New("the store is closed")

// operation is one change, applied inside a transaction that it shares with others. What its caller may expect to go wrong is a result that it keeps; only what
// must undo the transaction is an error. apply may run again after a failed transaction and begins anew then.
type operation interface {
	apply(t *tx) error
}

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

// queue holds what waits for the next transaction, in order, bounded separately for what somebody waits for and for marks. Presences of one endpoint replace
// each other. All methods may be called concurrently.
type queue struct {
	wake chan struct{} // holds a token while there may be something to take

	mu        sync.Mutex
	entries   []*entry
	requests  int // entries that are not marks
	marks     int // size of the others
	presences map[endpoint.Key]endpoint.Presence
	taken     map[endpoint.Key]endpoint.Presence // by the last take: perhaps not durable yet
	closed    bool

	maxRequests, maxMarks int
}

func newQueue(maxRequests, maxMarks int) *queue {
	return &queue{
		wake: make(chan struct{}, 1), presences: make(map[endpoint.Key]endpoint.Presence), taken: make(map[endpoint.Key]endpoint.Presence), maxRequests: maxRequests, maxMarks: maxMarks,
	}
}

// put appends e, or returns push.ErrBusy or ErrClosed.
func (q *queue) put(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case e.mark() && q.marks+e.size > q.maxMarks, !e.mark() && q.requests >= q.maxRequests:
		return push.ErrBusy
	}
	q.count(e, 1)
	q.entries = append(q.entries, e)
	q.wakeUp()
	return nil
}

// putPresence replaces what waits for the same endpoint, or reports false if there is no room.
func (q *queue) putPresence(k endpoint.Key, p endpoint.Presence) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, known := q.presences[k]; q.closed || !known && len(q.presences) >= q.maxMarks {
		return false
	}
	q.presences[k] = p
	q.wakeUp()
	return true
}

// presence returns the newest presence of an endpoint that may not be durable yet.
func (q *queue) presence(k endpoint.Key) (endpoint.Presence, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p, ok := q.presences[k]
	if !ok {
		p, ok = q.taken[k]
	}
	return p, ok
}

// take removes entries up to a size of limit, one at least: first in, first out, then presences.
func (q *queue) take(limit int) []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.entries) && (n == 0 || size+q.entries[n].size <= limit) {
		q.count(q.entries[n], -1)
		size += q.entries[n].size
		n++
	}
	batch := slices.Clone(q.entries[:n])
	q.entries = slices.Delete(q.entries, 0, n)
	clear(q.taken)
	for k, p := range q.presences {
		if size >= limit {
			break
		}
		q.taken[k] = p
		batch = append(batch, &entry{op: &savePresence{key: k, presence: p}, size: 1})
		delete(q.presences, k)
		size++
	}
	if len(q.entries) > 0 || len(q.presences) > 0 {
		q.wakeUp()
	}
	return batch
}

// putBack returns marks that the disk did not take to the front, beyond the limit if need be. A presence yields to a newer one.
func (q *queue) putBack(marks []*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	front := make([]*entry, 0, len(marks)+len(q.entries))
	for _, e := range marks {
		if s, ok := e.op.(*savePresence); ok {
			if _, newer := q.presences[s.key]; !newer {
				q.presences[s.key] = s.presence
			}
			continue
		}
		q.count(e, 1)
		front = append(front, e)
	}
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

// waiting returns how many requests, and how many entries and presences in all, are queued.
func (q *queue) waiting() (requests, all int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.requests, len(q.entries) + len(q.presences)
}

// close refuses everything that comes later.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func (q *queue) count(e *entry, sign int) {
	if e.mark() {
		q.marks += sign * e.size
	} else {
		q.requests += sign
	}
}

func (q *queue) wakeUp() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
