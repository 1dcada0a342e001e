package push

import (
	"sync"
	"time"

	"signalbox/internal/endpoint"
)

// lane is the way of pushes to one session. It exists as long as the session does, also while that takes no pushes.
//
// One goroutine at a time sends on it: whoever set owned, which is a worker of the pool, or the caller of Submit while nothing waits. Everybody else only notes
// what happened, under mu, and queues the lane. The sender and the store's reads are called without mu, since a sender may call written at once.
// Order of locks: Service.mu, lane.mu, then scribe.mu or pool.mu.
type lane struct {
	// Set at construction.
	key   endpoint.Key
	epoch uint64

	mu sync.Mutex
	// Guarded by mu.
	state      laneState
	since      time.Time // when the session last began to take pushes
	suspended  bool      // the connection is lost, the session may be resumed
	away       bool      // the endpoint sent no presence yet, or that it is not available
	owned      bool      // a goroutine sends on it
	queued     bool      // stands in the pool's queue
	waiting    bool      // pushes may wait in the store: nothing new passes them
	brief      bool      // they wait only because requests ran side by side
	stalled    bool      // the session's queue is full, or the store could not be read: nothing is tried until something changes or a tick passes
	blocked    bool      // a transaction that runs may end the next push: nothing is tried until it is over
	reading    bool      // a worker reads the store
	submitting int32     // requests between their start and their answer
	rounds     uint32    // reads begun; tells a request whether a read may have seen its push
	onWay      int       // flights that hold a place in the window
	flights    []flight  // what must not be sent (again) to this session
	gone       []ID      // flights that ended while reading: the read may show them in an older state
	now        []urgent  // pushes with TTL 0 that wait for the owner, by id
}

type laneState uint8

const (
	laneOpening laneState = iota // the older session's changes are on their way to the store: not to be read yet
	laneOpen
	laneEnded
)

// flight is a push on its way to a session, or held back from it.
type flight struct {
	id      ID
	created time.Time
	ack     Ack
	phase   phase
	now     bool   // TTL 0
	spared  bool   // by a cancel of its fan-out, because it was on its way
	name    string // of a message that has an id of its own
}

type phase uint8

const (
	handed   phase = iota // given to the session
	written               // the write to the connection returned
	settling              // a change of its state is on its way to the disk; holds no place in the window
)

// urgent is a push with TTL 0 and its waiting caller.
type urgent struct {
	push    Push
	verdict chan verdict // capacity 1
}

// verdict is what became of a push with TTL 0.
type verdict struct {
	expired bool
	outcome Outcome
	at      time.Time
	err     error
}

func (l *lane) findLocked(id ID) *flight {
	for i := range l.flights {
		if l.flights[i].id == id {
			return &l.flights[i]
		}
	}
	return nil
}

// knowsLocked reports whether a push that was read from the store must not be sent.
func (l *lane) knowsLocked(id ID) bool {
	if l.findLocked(id) != nil {
		return true
	}
	for _, g := range l.gone {
		if g == id {
			return true
		}
	}
	return false
}

// launchLocked notes that p is handed to the session.
func (l *lane) launchLocked(p Push) {
	l.flights = append(l.flights, flight{id: p.ID, created: p.Created, ack: p.Ack, now: p.TTL == 0, name: p.ownName()})
	l.onWay++
}

// holdLocked keeps the push from being sent while a change of its state is written, and frees its place in the window. It returns when the push was
// created, if that is known here.
func (l *lane) holdLocked(id ID) time.Time {
	f := l.findLocked(id)
	if f == nil {
		l.flights = append(l.flights, flight{id: id, phase: settling})
		return time.Time{}
	}
	if f.phase != settling {
		f.phase = settling
		l.onWay--
	}
	return f.created
}

// dropLocked forgets a flight.
func (l *lane) dropLocked(id ID) {
	for i := range l.flights {
		if l.flights[i].id != id {
			continue
		}
		if l.flights[i].phase != settling {
			l.onWay--
		}
		last := len(l.flights) - 1
		l.flights[i] = l.flights[last]
		l.flights = l.flights[:last]
		if last == 0 {
			l.flights = nil // thousands of idle lanes must cost little
		}
		if l.reading {
			l.gone = append(l.gone, id)
		}
		return
	}
}

// pausedLocked reports whether the session takes no pushes for now.
func (l *lane) pausedLocked() bool { return l.suspended || l.away }

// takesLocked reports whether the session takes a push now.
func (l *lane) takesLocked(window int) bool {
	return l.state == laneOpen && !l.pausedLocked() && !l.stalled && l.onWay < window && len(l.flights) < settlingFactor*window
}

// settlingFactor bounds, in windows, what is on the way or held back: a disk that stands still must not let flights grow.
const settlingFactor = 4

// waitLocked notes that pushes wait in the store.
func (l *lane) waitLocked(brief bool) {
	l.brief = brief && (!l.waiting || l.brief)
	l.waiting = true
}

// wantsLocked reports whether the lane has work that can be done. A window is refilled when it is half empty, not for every receipt.
func (l *lane) wantsLocked(window int) bool {
	if l.state != laneOpen || l.pausedLocked() || l.blocked {
		return false
	}
	return len(l.now) > 0 || l.waiting && l.onWay <= window/2 && l.takesLocked(window)
}

// owed returns how long the session has owed the receipt of its oldest push, 0 if it owes none or takes no pushes. What a push waited for the session is not counted.
func (l *lane) owed(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pausedLocked() {
		return 0
	}
	longest := time.Duration(0)
	for _, f := range l.flights {
		if f.phase == settling {
			continue // its receipt is there
		}
		longest = max(longest, now.Sub(latest(f.created, l.since)))
	}
	return longest
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
