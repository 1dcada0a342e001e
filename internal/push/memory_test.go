package push

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"signalbox/internal/endpoint"
)

// memory is a Store that keeps its word: what it says is applied in the order of the calls by one committer goroutine, after commit has passed.
type memory struct {
	commit time.Duration // a transaction takes this long
	read   time.Duration // a read takes this long after it has seen the rows
	lag    time.Duration // answers to AcceptPush come up to three times this late
	jobs   chan func()
	ended  chan struct{}

	mu        sync.Mutex
	next      ID
	rows      map[ID]*row
	keys      map[Idempotency]ID
	batches   map[ID]AcceptedBatch
	groups    map[string][]string // of endpoints
	changed   []string            // endpoints that may have come to match
	fanouts   map[ID]*Fanout
	closed    map[ID]bool // fan-outs that were cancelled
	deleted   func(endpoint.Key)
	failing   error         // what writes answer; nil: they succeed
	failChunk func() error  // what becomes of a chunk of a fan-out behind its first one; nil: it is stored
	partly    error         // what ExpirePushes answers with what it ended; nil: it succeeds
	begun     chan struct{} // if not nil, a read waits here before it sees the rows
	reading   chan struct{} // if not nil, a read that has its rows waits here before it returns them
}

type row struct {
	Status
	payload []byte
	later   bool // it waits for its time
}

func (r *row) change(c Change) {
	r.State = c.State
	r.History = append(r.History, c)
}

func newMemory() *memory {
	m := &memory{commit: 2 * time.Millisecond, jobs: make(chan func(), 1<<16), ended: make(chan struct{}), rows: map[ID]*row{}, keys: map[Idempotency]ID{}, fanouts: map[ID]*Fanout{}, closed: map[ID]bool{},
		batches: map[ID]AcceptedBatch{}, groups: map[string][]string{}}
	go m.run()
	return m
}

func (m *memory) run() {
	defer close(m.ended)
	for job := range m.jobs {
		if m.commit > 0 {
			<-time.After(m.commit)
		}
		job()
		for range len(m.jobs) {
			(<-m.jobs)()
		}
	}
}

func (m *memory) close() {
	close(m.jobs)
	<-m.ended
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = err
}

func (m *memory) failPartly(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.partly = err
}

func (m *memory) AcceptPush(_ context.Context, s Submission) (Status, error) {
	type answer struct {
		st  Status
		err error
	}
	c := make(chan answer, 1)
	m.jobs <- func() {
		st, err := m.accept(s)
		c <- answer{st, err}
	}
	a := <-c
	if m.lag > 0 {
		<-time.After(time.Duration(a.st.ID%4) * m.lag)
	}
	return a.st, a.err
}

func (m *memory) accept(s Submission) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return Status{}, m.failing
	}
	if s.Push.To.ID == "unknown" {
		return Status{}, endpoint.ErrUnknown
	}
	if s.Idempotency != nil {
		for k, id := range m.keys {
			if k.Token == s.Idempotency.Token && k.Key == s.Idempotency.Key {
				if k.Body != s.Idempotency.Body {
					return Status{}, ErrKeyReused
				}
				st := m.rows[id].Status
				st.Replayed = true
				return st, nil
			}
		}
	}
	older, dropped, full := m.roomLocked(s.Push, s.Queue, s.Claim)
	if full {
		return Status{}, ErrQueueFull
	}
	r := m.insertLocked(s.Push)
	if s.Idempotency != nil {
		m.keys[*s.Idempotency] = r.ID
	}
	st := m.copy(r)
	st.Ended = m.endLocked(r, older, dropped)
	return st, nil
}

// openLocked counts the pushes of an endpoint that are not final.
func (m *memory) openLocked(k endpoint.Key) (n int) {
	for _, r := range m.rows {
		if r.To == k && !Final(r.State, r.Ack) {
			n++
		}
	}
	return n
}

func (m *memory) insertLocked(p Push) *row {
	m.next++
	p.ID, p.Created = m.next, time.Now()
	r := &row{Status: Status{Push: p, State: Accepted, History: []Change{{State: Accepted, At: p.Created}}}, payload: p.Payload}
	r.Payload, r.later = nil, p.Scheduled()
	if p.TTL == 0 {
		r.payload = nil
	}
	m.rows[p.ID] = r
	return r
}

func (m *memory) copy(r *row) Status {
	st := r.Status
	st.History = slices.Clone(st.History)
	return st
}

func (m *memory) AdvancePushes(ts []Transition, done func([]Outcome, error)) {
	m.jobs <- func() {
		os, err := m.advance(ts)
		if done != nil {
			done(os, err)
		}
	}
}

var errPoison = errors.New("this transition cannot be written")

func (m *memory) advance(ts []Transition) ([]Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return nil, m.failing
	}
	for _, t := range ts {
		if string(t.Result) == `"poison"` {
			return nil, errPoison
		}
	}
	os := make([]Outcome, len(ts))
	for i, t := range ts {
		r := m.rows[t.ID]
		if r == nil || r.To != t.Key {
			continue
		}
		os[i] = Outcome{Found: true, Ack: r.Ack, Fanout: r.Fanout}
		if Next(r.State, t.To, r.Ack) {
			os[i].Applied = true
			r.change(Change{State: t.To, At: t.At, Reason: t.Reason})
			r.Result = t.Result
		}
		if t.To == Accepted && r.State == Accepted && m.closed[r.Fanout] {
			os[i].Applied = true
			r.change(Change{State: Cancelled, At: t.At, Reason: ReasonCancelled})
		}
		if newer := m.newerLocked(r); t.To == Accepted && r.State == Accepted && newer != 0 {
			os[i].Applied = true
			r.change(Change{State: Replaced, At: t.At, Reason: ReasonCollapsed, By: newer})
		}
		os[i].State = r.State
	}
	return os, nil
}

func (m *memory) ExpirePushes(_ context.Context, now time.Time, limit int) ([]Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return nil, m.failing
	}
	var ended []Status
	for _, r := range m.rows {
		if len(ended) == limit || Final(r.State, r.Ack) || now.Before(r.Expires()) || r.TTL == 0 && now.Before(r.Created.Add(NowGrace)) {
			continue
		}
		c := Change{At: now}
		c.State, c.Reason = ExpiryOf(r.State, r.TTL > 0)
		r.State = c.State
		r.History = append(r.History, c)
		ended = append(ended, m.copy(r))
	}
	return ended, m.partly
}

func (m *memory) RecoverPushes(_ context.Context, reason string, now time.Time, carried map[ID]bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if Final(r.State, r.Ack) || carried[r.ID] {
			continue
		}
		if r.TTL == 0 {
			r.State = Expired
			r.change(Change{State: Expired, At: now, Reason: ReasonOffline})
		} else if r.State == Sent {
			r.change(Change{State: Accepted, At: now, Reason: reason})
		}
	}
	return m.failing
}

func (m *memory) Push(_ context.Context, domain string, id ID) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[id]
	if r == nil || r.To.Domain != domain {
		return Status{}, ErrUnknown
	}
	return m.copy(r), nil
}

func (m *memory) WaitingPushes(_ context.Context, k endpoint.Key, after Cursor, limit int) ([]Push, error) {
	if m.begun != nil {
		<-m.begun
	}
	m.mu.Lock()
	if m.failing != nil {
		defer m.mu.Unlock()
		return nil, m.failing
	}
	var ps []Push
	for _, r := range m.rows {
		if r.To == k && r.State == Accepted && !r.later && r.TTL > 0 && compareCursors(Cursor{r.Priority, r.ID}, after) > 0 {
			p := r.Push
			p.Payload = r.payload
			ps = append(ps, p)
		}
	}
	reading := m.reading
	m.mu.Unlock()
	slices.SortFunc(ps, func(a, b Push) int { return compareCursors(Cursor{a.Priority, a.ID}, Cursor{b.Priority, b.ID}) })
	if reading != nil {
		<-reading
	}
	if m.read > 0 {
		<-time.After(m.read)
	}
	return ps[:min(limit, len(ps))], nil
}

func compareCursors(a, b Cursor) int {
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID))
}

func (m *memory) CountWaiting(_ context.Context, k endpoint.Key) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, r := range m.rows {
		if r.To == k && !Final(r.State, r.Ack) {
			n++
		}
	}
	return n, nil
}

func (m *memory) Pushes(_ context.Context, k endpoint.Key, state State, before ID, limit int) ([]Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sts []Status
	for id := m.next; id > 0 && len(sts) < limit; id-- {
		r := m.rows[id]
		if r != nil && (before == 0 || id < before) && r.To.Domain == k.Domain && (k.ID == "" || r.To == k) && (state == "" || r.State == state) {
			sts = append(sts, m.copy(r))
		}
	}
	return sts, nil
}
