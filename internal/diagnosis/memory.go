package diagnosis

import (
	"net/netip"
	"sync"
	"time"

	"signalbox/internal/endpoint"
)

// Keep is how long attempts are remembered.
const Keep = 24 * time.Hour

// Budgets of the memory in bytes. Strangers have their own, so that they cannot drive out what is known of endpoints, whatever they send.
const (
	endpointBudget = 16 << 20 // attempts in the name of endpoints that are registered
	homeBudget     = 24 << 20 // attempts from addresses where endpoints were seen
	strangerBudget = 4 << 20  // attempts from other addresses
	nameBudget     = 1 << 20  // attempts in names that may not be registered
)

// Memory remembers connections that did not become sessions, and who was seen where, in bounded space and for Keep. It is never written to the disk: strangers
// cause what is in it (docs/decisions/0012-attempts-are-not-stored.md). All methods may be called concurrently and never block.
type Memory struct {
	mu        sync.Mutex
	endpoints *pool[endpoint.Key]
	names     *pool[endpoint.Key]
	homes     *pool[netip.Addr]
	strangers *pool[netip.Addr]
	tally     tally
}

// NewMemory returns an empty memory.
func NewMemory() *Memory {
	return &Memory{
		endpoints: newPool[endpoint.Key](endpointBudget), names: newPool[endpoint.Key](nameBudget),
		homes: newPool[netip.Addr](homeBudget), strangers: newPool[netip.Addr](strangerBudget), tally: tally{},
	}
}

// Failed remembers an attempt under its address and under the name that it gave.
func (m *Memory) Failed(a Attempt) {
	a.Detail, a.At = a.Detail.cleaned(), a.At.Truncate(time.Microsecond) // as times are stored
	at := place(a.Remote.Addr())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally.add(a)
	home := m.homes.records[at]
	if home != nil {
		m.homes.add(at, a, true)
	} else {
		m.strangers.add(at, a, true)
	}
	switch {
	case a.Key.ID == "":
	case a.Known:
		m.endpoints.add(a.Key, a, home.has(a.Key))
	default:
		m.names.add(a.Key, a, true)
	}
}

func (r *record[K]) has(k endpoint.Key) bool {
	if r == nil {
		return false
	}
	for _, t := range r.tenants {
		if t == k {
			return true
		}
	}
	return false
}

// Seen says that the endpoint has a session from this address. It costs a look-up where it is known to be there.
func (m *Memory) Seen(k endpoint.Key, from netip.Addr) {
	at := place(from)
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.strangers.release(at); r != nil {
		m.homes.adopt(r)
	}
	r := m.homes.touch(at)
	m.homes.used += r.settle(k)
	m.homes.shrink()
}

// Endpoint returns the attempts in the name of an endpoint, the newest first.
func (m *Memory) Endpoint(k endpoint.Key) []Attempt {
	oldest := time.Now().Add(-Keep)
	m.mu.Lock()
	defer m.mu.Unlock()
	return newestFirst(append(m.endpoints.records[k].since(oldest), m.names.records[k].since(oldest)...))
}

// At returns the attempts from an address, the newest first, and the endpoints that were seen there, at most 8.
func (m *Memory) At(from netip.Addr) ([]Attempt, []endpoint.Key) {
	oldest, at := time.Now().Add(-Keep), place(from)
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.homes.records[at]
	if r == nil {
		return m.strangers.records[at].since(oldest), nil
	}
	return r.since(oldest), append([]endpoint.Key(nil), r.tenants...)
}

// Strangers returns the newest attempts from addresses where no endpoint was seen, one of each address, at most limit.
func (m *Memory) Strangers(since time.Time, limit int) (found []Attempt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for e := m.strangers.order.Front(); e != nil && len(found) < limit; e = e.Next() {
		newest := e.Value.(*record[netip.Addr]).since(since)
		if len(newest) == 0 {
			break // what follows was touched earlier
		}
		found = append(found, newest[0])
	}
	return found
}
