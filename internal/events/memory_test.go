package events

import (
	"context"
	"encoding/json"
	"sync"
)

// memory is a store in memory.
type memory struct {
	wake chan struct{}
	once map[string]bool

	mu      sync.Mutex
	events  []Event
	last    int64
	deleted int64
	fail    error // what reads return
	reads   int
}

func newMemory() *memory { return &memory{wake: make(chan struct{}, 1), once: map[string]bool{}} }

func (m *memory) ReadEvents(_ context.Context, after int64, limit int) ([]Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.fail != nil {
		return nil, m.fail
	}
	if after < m.deleted || after > m.last {
		return nil, ErrGone
	}
	var some []Event
	for _, e := range m.events {
		if e.Seq > after && len(some) < limit {
			some = append(some, e)
		}
	}
	return some, nil
}

func (m *memory) EventBounds(context.Context) (Bounds, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Bounds{Deleted: m.deleted, Newest: m.last}, nil
}

func (m *memory) WatchEvents() <-chan struct{} { return m.wake }

func (m *memory) AddEvent(_ context.Context, n Notice) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return false, m.fail
	}
	if n.Once != "" && m.once[n.Once] {
		return false, nil
	}
	m.once[n.Once] = true
	m.last++
	m.events = append(m.events, Event{Seq: m.last, At: n.At, Type: n.Type, Data: n.Data})
	return true, nil
}

// told returns the types and the data of all events, and forgets them.
func (m *memory) told() (lines []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		lines = append(lines, string(e.Type)+" "+string(e.Data))
	}
	m.events = nil
	return lines
}

// add appends an event of each type, as one commit, and leaves as many numbers out before them as gap says.
func (m *memory) add(gap int64, all ...Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last += gap
	for _, e := range all {
		m.last++
		e.Seq = m.last
		if e.Data == nil {
			e.Data = json.RawMessage("{}")
		}
		m.events = append(m.events, e)
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// forget deletes events up to seq.
func (m *memory) forget(seq int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.events) > 0 && m.events[0].Seq <= seq {
		m.events = m.events[1:]
	}
	m.deleted = seq
}

func (m *memory) set(fail error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = fail
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads
}
