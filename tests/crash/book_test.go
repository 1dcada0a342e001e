package crash

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"signalbox/internal/client"
	"signalbox/internal/push"
	"signalbox/tests/crash/rig"
)

// book is what callers and endpoints know: what the server answered, sent and counted. It is safe for concurrent use.
type book struct {
	mu        sync.Mutex
	accepted  map[int]string        // order -> push, answered 202
	seen      map[int]string        // order -> push, on the wire
	first     map[place]int         // newest order that came for the first time
	confirmed map[string]push.State // push -> what the server counted of its answers
	twice     int                   // pushes that came again
	again     []string              // their ids
	replayed  int                   // answers to a repeated request
	faults    []string
}

// place is one caller's orders to one endpoint, which keep their order.
type place struct {
	endpoint string
	caller   int
}

func newBook() *book {
	return &book{accepted: map[int]string{}, seen: map[int]string{}, first: map[place]int{}, confirmed: map[string]push.State{}}
}

func (b *book) faultLocked(format string, args ...any) {
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

func (b *book) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faultLocked(format, args...)
}

// accept notes an answer 202.
func (b *book) accept(o rig.Order, r client.Receipt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, ok := b.seen[o.N]; ok && id != r.ID {
		b.faultLocked("order %d was sent as %s and answered as %s", o.N, id, r.ID)
	}
	b.accepted[o.N] = r.ID
	if r.Replayed {
		b.replayed++
	}
}

// take notes a push that came to an endpoint and returns its order.
func (b *book) take(endpoint string, r rig.Received) (rig.Order, bool) {
	n, ok := rig.Number(r.Type)
	o := rig.NewOrder(n, endpoint)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !ok || endpointOf(n) != endpoint || !bytes.Equal(o.Body, r.Payload) {
		b.faultLocked("%s got push %s of type %q with %q", endpoint, r.ID, r.Type, r.Payload)
		return o, false
	}
	if id, ok := b.accepted[n]; ok && id != r.ID {
		b.faultLocked("order %d was answered as %s and sent as %s", n, id, r.ID)
	}
	if state, ok := b.confirmed[r.ID]; ok {
		b.faultLocked("push %s came again after the server had counted that it was %s", r.ID, state)
	}
	id, again := b.seen[n]
	switch p := (place{endpoint, n % callers}); {
	case again && id != r.ID:
		b.faultLocked("order %d came as %s and again as %s", n, id, r.ID)
	case again:
		b.twice++
		b.again = append(b.again, r.ID)
	case n < b.first[p]:
		b.faultLocked("%s got order %d after order %d, which was accepted later", endpoint, n, b.first[p])
	default:
		b.first[p] = n
	}
	b.seen[n] = r.ID
	return o, true
}

func (b *book) confirm(a rig.Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.confirmed[a.Push] = a.State
}

// verify holds all that the server knows at the end against the book. Every order was repeated until it was answered, so there is one push for each, in one
// final state.
func (b *book) verify(all []client.Push, final func(o rig.Order, p client.Push) error) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[int]string{}
	for _, p := range all {
		n, ok := rig.Number(p.Type)
		if other, twice := found[n]; !ok || twice || p.To != endpointOf(n) {
			b.faultLocked("push %s of type %s to %s, beside %q, is not of one order", p.ID, p.Type, p.To, other)
			continue
		}
		found[n] = p.ID
		if err := rig.CheckHistory(p); err != nil {
			b.faultLocked("%v", err)
		}
		if err := final(rig.NewOrder(n, p.To), p); err != nil {
			b.faultLocked("%v", err)
		}
	}
	for n, id := range b.accepted {
		if found[n] != id {
			b.faultLocked("order %d was accepted as %s and is %q", n, id, found[n])
		}
	}
	if len(found) != len(b.accepted) {
		b.faultLocked("%d orders were accepted, %d are there", len(b.accepted), len(found))
	}
	slices.Sort(b.faults)
	return b.faults
}
