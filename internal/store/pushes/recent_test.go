package pushes

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// TestRounds: however many pushes come, few are recent, all are filed once, and what a round says is filed is filed, also where transactions fail.
func TestRounds(t *testing.T) {
	const most, endpoints, each, transactions = 2000, 500, 20, 2000
	r := newRecent()
	r.most = most
	random := rand.New(rand.NewPCG(1, 2))
	filed := map[push.ID]int{}
	next, highest, rounds := push.ID(0), 0, 0
	for n := range transactions {
		first := next
		for range each {
			next++
			ep := int64(1 + random.IntN(endpoints))
			r.add(recent{id: next, key: endpoint.Key{Domain: "d", ID: fmt.Sprint(ep)}, ep: ep, size: 1})
		}
		var leaving []push.ID
		for ep := range r.due() {
			for _, p := range r.of[ep] {
				if r.leave(p.id) {
					leaving = append(leaving, p.id)
				}
			}
		}
		behind, over := r.over()
		if n%97 == 96 {
			r.rollback()
			next = first
			continue
		}
		r.commit()
		for _, id := range leaving {
			filed[id]++
		}
		if over {
			rounds++
			for id := range r.byID {
				if id <= behind {
					t.Fatalf("push %d is recent, though all up to %d are filed", id, behind)
				}
			}
		}
		highest = max(highest, len(r.byID))
	}
	if highest < most-each || highest > most+2*each {
		t.Errorf("up to %d were recent, want about %d", highest, most)
	}
	if rounds < 5 {
		t.Errorf("%d rounds", rounds)
	}
	for id := push.ID(1); id <= next; id++ {
		if r.byID[id] != nil == (filed[id] == 1) || filed[id] > 1 {
			t.Fatalf("push %d was filed %d times, recent %v", id, filed[id], r.byID[id] != nil)
		}
	}
	listed := 0
	for ep, all := range r.of {
		listed += len(all)
		if len(all) == 0 || r.nums[all[0].key] != ep {
			t.Errorf("endpoint %d has an empty list, or is not known by its key", ep)
		}
	}
	if listed != len(r.byID) || len(r.nums) != len(r.of) {
		t.Errorf("%d in lists of %d known endpoints, want %d", listed, len(r.nums), len(r.byID))
	}
}
