package diagnosis

import (
	"container/list"
	"slices"
	"time"

	"signalbox/internal/endpoint"
)

// Bounds of one record.
const (
	maxAttempts  = 12 // different ones
	maxElsewhere = 8  // of them from addresses where the endpoint was never seen: they cannot drive out the others
	maxTurns     = 8
	maxTenants   = 8
	recordBytes  = 240 // about what a record takes without its attempts
)

// record is what is remembered of an endpoint or of an address.
type record[K comparable] struct {
	key      K
	attempts []kept         // the newest last
	turns    []turn         // of an endpoint: takeovers of its session, the newest last
	tenants  []endpoint.Key // of an address: endpoints that were seen there, the newest last
	size     int
	place    *list.Element
}

// kept is an attempt and whether it came from where its endpoint was seen before.
type kept struct {
	Attempt
	home bool
}

// pool holds records within a budget: the one that was longest untouched goes first. Its Memory's lock guards it.
type pool[K comparable] struct {
	budget  int // bytes
	used    int
	records map[K]*record[K]
	order   *list.List // of *record[K], the newest first
}

func newPool[K comparable](budget int) *pool[K] {
	return &pool[K]{budget: budget, records: map[K]*record[K]{}, order: list.New()}
}

// touch returns the record of k, made if there is none, as the newest.
func (p *pool[K]) touch(k K) *record[K] {
	r := p.records[k]
	if r != nil {
		p.order.MoveToFront(r.place)
		return r
	}
	r = &record[K]{key: k, size: recordBytes}
	p.adopt(r)
	return r
}

// adopt takes a record over as the newest.
func (p *pool[K]) adopt(r *record[K]) {
	p.records[r.key] = r
	r.place = p.order.PushFront(r)
	p.used += r.size
	p.shrink()
}

// release gives a record up; nil if there is none.
func (p *pool[K]) release(k K) *record[K] {
	r := p.records[k]
	if r == nil {
		return nil
	}
	delete(p.records, k)
	p.order.Remove(r.place)
	p.used -= r.size
	return r
}

// shrink drops the oldest records until the budget holds; the newest stays.
func (p *pool[K]) shrink() {
	for p.used > p.budget && p.order.Len() > 1 {
		p.release(p.order.Back().Value.(*record[K]).key)
	}
}

// add remembers an attempt in the record of k.
func (p *pool[K]) add(k K, a Attempt, home bool) {
	r := p.touch(k)
	p.used -= r.size
	r.add(a, home)
	p.used += r.size
	p.shrink()
}

func (r *record[K]) add(a Attempt, home bool) {
	i := slices.IndexFunc(r.attempts, func(old kept) bool { return old.same(&a) })
	if i >= 0 {
		a.First, a.Count = r.attempts[i].First, r.attempts[i].Count+1
		r.drop(i)
	} else {
		a.First, a.Count = a.At, 1
		r.makeRoom(home)
	}
	r.attempts = append(r.attempts, kept{a, home})
	r.size += a.size()
}

// makeRoom drops the oldest attempt where there are as many as may be; of those from elsewhere where they are.
func (r *record[K]) makeRoom(home bool) {
	elsewhere := 0
	for _, k := range r.attempts {
		if !k.home {
			elsewhere++
		}
	}
	switch {
	case !home && elsewhere >= maxElsewhere, len(r.attempts) >= maxAttempts && elsewhere > 0:
		r.drop(slices.IndexFunc(r.attempts, func(k kept) bool { return !k.home }))
	case len(r.attempts) >= maxAttempts:
		r.drop(0)
	}
}

func (r *record[K]) drop(i int) {
	r.size -= r.attempts[i].size()
	r.attempts = slices.Delete(r.attempts, i, i+1)
}

// since returns the attempts that are not older, the newest first.
func (r *record[K]) since(oldest time.Time) (found []Attempt) {
	if r == nil {
		return nil
	}
	for _, k := range slices.Backward(r.attempts) {
		if !k.At.Before(oldest) {
			found = append(found, k.Attempt)
		}
	}
	return found
}

// settle notes that an endpoint was seen at the address.
func (r *record[K]) settle(k endpoint.Key) (grown int) {
	if n := len(r.tenants); n > 0 && r.tenants[n-1] == k {
		return 0
	}
	before := len(r.tenants)
	r.tenants = slices.DeleteFunc(r.tenants, func(t endpoint.Key) bool { return t == k })
	if len(r.tenants) == maxTenants {
		r.tenants = slices.Delete(r.tenants, 0, 1)
	}
	r.tenants = append(r.tenants, k)
	grown = (len(r.tenants) - before) * (len(k.ID) + 32)
	r.size += grown
	return grown
}
