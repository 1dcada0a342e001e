// Package session keeps the TURN sessions that are open: who may reach whom, how much and how fast, what it came to, and that all is silent once a session has ended.
package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/turn/control"
	"signalbox/turn/policy"
	"signalbox/turn/tally"
)

// Errors of Open and Reserve.
var (
	ErrExpired         = errors.New("the session's end has passed")
	ErrEnded           = errors.New("the session has ended")
	ErrSessionQuota    = errors.New("the session has as many allocations as it may")
	ErrTechnicianQuota = errors.New("the technician's sessions have as many allocations as they may")
	ErrTotalQuota      = errors.New("there are as many allocations as there may be")
)

// kept is how long the counters of a session that expired wait for its owner to ask for them.
const kept = time.Hour

// sweepEvery bounds how long an expired session relays.
const sweepEvery = time.Second

// Limits are those of all sessions; 0 is no limit.
type Limits struct {
	Allocations           int   // in all
	SessionAllocations    int   // of one session; its own limit may be smaller
	TechnicianAllocations int   // of all sessions of one technician
	SessionRate           int64 // bytes per second of one session, both directions and headers of IP and UDP together; its own rate may be smaller
	TotalRate             int64 // bytes per second of all sessions
}

// Table holds all sessions. Its methods may be called concurrently.
type Table struct {
	limits Limits
	policy *policy.Policy
	now    func() time.Time
	start  time.Time // of the clock of the buckets
	rate   bucket    // all sessions together

	slowedSession, slowedTotal atomic.Uint64

	mu          sync.Mutex
	sessions    map[string]*session
	technicians map[string]int // allocations, of those who have any
	allocations int
	refused     Stats // its counts of quotas
}

// NewTable returns a table without sessions. The policy says what is closed to all of them; now is the time, of which a monotonic clock is part.
func NewTable(limits Limits, p *policy.Policy, now func() time.Time) *Table {
	t := &Table{limits: limits, policy: p, now: now, start: now(), sessions: make(map[string]*session), technicians: make(map[string]int)}
	t.rate.rate.Store(limits.TotalRate)
	return t
}

// Open opens a session. If it is open already, its owner, end, peers and limits become those of s, at once also for what is allocated; its technician stays. The error
// is ErrExpired.
func (t *Table) Open(s control.Session) error {
	if !t.now().Before(s.Expires) {
		return ErrExpired
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.sessions[s.ID]
	if one == nil || one.ended() {
		one = t.addLocked(s, one)
	}
	one.changeLocked(s)
	return nil
}

// addLocked makes a session; one that ended before under its id, if any, leaves it its counters.
func (t *Table) addLocked(s control.Session, before *session) *session {
	one := &session{table: t, id: s.ID, technician: s.Technician, counters: new(tally.Counters), silent: make(chan struct{})}
	one.view.Store(new(view))
	for i := range one.sides {
		one.sides[i] = Side{session: one, index: i}
	}
	if before != nil {
		one.counters = before.counters
	}
	t.sessions[s.ID] = one
	return one
}

// Reconsider makes void what was decided of peers before, in all sessions: the policy has changed.
func (t *Table) Reconsider() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.sessions {
		s.generation.Add(1)
	}
}

// Side returns a side, control.SideA or control.SideB, of an open session; always the same one as long as the session is open. nil: the session is unknown, has ended or
// expired.
func (t *Table) Side(id string, side byte) *Side {
	if side != control.SideA && side != control.SideB {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sessions[id]
	if s == nil || s.ended() || s.expiredLocked(t.now()) {
		return nil
	}
	return &s.sides[side-control.SideA]
}

// End ends a session and forgets it: when it returns, nothing of it is relayed any more and all its allocations are closed. It returns what the session has done;
// false: there is none.
func (t *Table) End(id string) (control.Counters, bool) {
	t.mu.Lock()
	s := t.sessions[id]
	if s != nil {
		s.endLocked()
	}
	t.mu.Unlock()
	if s == nil {
		return control.Counters{}, false
	}
	s.close()
	return t.forget(s), true
}

// Sync ends and forgets the sessions of an owner that are not among ids.
func (t *Table) Sync(owner string, ids []string) {
	keep := make(map[string]bool, len(ids))
	for _, id := range ids {
		keep[id] = true
	}
	for _, s := range t.endEach(func(s *session) bool { return s.owner == owner && !keep[s.id] }) {
		t.forget(s)
	}
}

// Counters returns what a session has done so far; false: there is none.
func (t *Table) Counters(id string) (control.Counters, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sessions[id]
	if s == nil {
		return control.Counters{}, false
	}
	return s.countersLocked(), true
}

// Run ends sessions when they expire, until the context ends. An expired one makes no allocations from that moment on and relays at most a second longer. Its counters
// stay for an hour, in which End returns them; those of sessions that nobody owns do not.
func (t *Table) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.sweep()
		}
	}
}

func (t *Table) sweep() {
	now := t.now()
	for _, s := range t.endEach(func(s *session) bool { return s.expiredLocked(now) }) {
		if s.forgottenAt().Before(now) {
			t.forget(s)
		}
	}
}

// forget drops a session that has ended, and returns what it has done.
func (t *Table) forget(s *session) control.Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.id] == s { // else it was opened again
		delete(t.sessions, s.id)
	}
	return s.countersLocked()
}

// endEach ends the sessions that are meant, and returns them when they are silent.
func (t *Table) endEach(meant func(*session) bool) (ended []*session) {
	t.mu.Lock()
	for _, s := range t.sessions {
		if meant(s) {
			s.endLocked()
			ended = append(ended, s)
		}
	}
	t.mu.Unlock()
	for _, s := range ended {
		s.close()
	}
	return ended
}
