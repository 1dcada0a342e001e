package powercut

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/push"
	"signalbox/tests/crash/rig"
)

// book is what a ledger says, by subject.
type book struct {
	asked     map[int]bool
	accepted  map[int]string          // order -> push
	least     map[string][]push.State // push -> states that were acknowledged
	endpoints []string
}

func newBook(t *testing.T, lines [][]string) *book {
	t.Helper()
	b := &book{asked: map[int]bool{}, accepted: map[int]string{}, least: map[string][]push.State{}}
	for _, l := range lines {
		switch l[0] {
		case saidAsked:
			b.asked[number(t, l[1])] = true
		case saidAccepted:
			b.accepted[number(t, l[1])] = l[2]
		case saidCancelled:
			b.least[l[1]] = append(b.least[l[1]], push.Cancelled)
		case saidCounted, saidShown:
			b.least[l[1]] = append(b.least[l[1]], push.State(l[2]))
		case saidEndpoint:
			b.endpoints = append(b.endpoints, l[1])
		default:
			t.Fatalf("ledger: %q", l)
		}
	}
	return b
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// states returns how many pushes the server acknowledged more of than that it took them.
func (b *book) states() int { return len(b.least) }

// kept reports whether a push that is in state now may have been in state then.
func kept(then, now push.State) bool {
	return then == now || then == push.Delivered && (now == push.Handled || now == push.Failed)
}

// check holds the pushes that a server knows against the book.
func (b *book) check(all []client.Push) (missing int, faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	byID, byOrder := map[string]client.Push{}, map[int]string{}
	for _, p := range all {
		n, ok := rig.Number(p.Type)
		if other, twice := byOrder[n]; !ok || twice || p.To != endpointOf(n) {
			fault("push %s of type %s to %s, beside %q, is not of one order", p.ID, p.Type, p.To, other)
		}
		byID[p.ID], byOrder[n] = p, p.ID
		if err := rig.CheckHistory(p); err != nil {
			fault("%v", err)
		}
	}
	for n, id := range b.accepted {
		if byOrder[n] != id {
			missing++
			fault("order %d was accepted as push %s and is %q", n, id, byOrder[n])
		}
	}
	for id, states := range b.least {
		p, found := byID[id]
		for _, s := range states {
			if !found || !kept(s, push.State(p.State)) {
				fault("push %s was acknowledged as %s and is %q: %v", id, s, p.State, p.History)
			}
		}
	}
	return missing, faults
}

// checkEndpoints returns the endpoints that were registered and are not there.
func (b *book) checkEndpoints(all []string) (faults []string) {
	for _, id := range b.endpoints {
		if !slices.Contains(all, id) {
			faults = append(faults, "endpoint "+id+" was registered and is not there")
		}
	}
	return faults
}
