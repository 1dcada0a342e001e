package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/turn/control"
	"signalbox/turn/policy"
	"signalbox/turn/tally"
)

func TestSides(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{})
	a, b := w.open(control.Session{ID: "s"})
	if a == b || a != w.Side("s", 'a') || b != w.Side("s", 'b') || a.Counters() != b.Counters() {
		t.Error("sides are not two that stay")
	}
	for _, c := range []struct {
		id   string
		side byte
	}{{"s", 'c'}, {"s", 0}, {"s", 'A'}, {"other", 'a'}, {"", 'a'}} {
		if got := w.Side(c.id, c.side); got != nil {
			t.Errorf("there is a side %q of session %q", c.side, c.id)
		}
	}
}

// TestReconsider: where the policy has changed, nothing that was decided before counts.
func TestReconsider(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	a, _ := w.open(control.Session{ID: "s"})
	peer := netip.MustParseAddrPort("192.0.2.1:443")
	generation := a.Generation()
	if !a.Allows(peer) {
		t.Error("the peer is refused before")
	}
	w.policy.Protect("server", []netip.AddrPort{peer})
	w.Reconsider()
	if a.Allows(peer) || a.Generation() == generation {
		t.Errorf("a listener is allowed: %v; the generation was %d and is %d", a.Allows(peer), generation, a.Generation())
	}
}

func TestOpenIsIdempotent(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{})
	s := control.Session{ID: "s", Owner: "one", AllowPeers: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, MaxAllocations: 1}
	a, _ := w.open(s)
	one := at("203.0.113.1:50000")
	a.Attach(one)
	generation := a.Generation()
	if again, _ := w.open(s); again != a || a.Generation() != generation {
		t.Errorf("the same again makes another side, or moves the generation from %d to %d", generation, a.Generation())
	}
	reserve(t, a, 1)

	s.Owner, s.MaxAllocations = "two", 2
	s.AllowPeers = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	s.Observed[0] = []netip.Addr{netip.MustParseAddr("::ffff:203.0.113.77")}
	w.clock.pass(50 * time.Second)
	if again, _ := w.open(s); again != a || one.closed.Load() {
		t.Error("a change makes another side, or closes allocations")
	}
	if a.Generation() == generation {
		t.Error("other peers do not move the generation")
	}
	for peer, want := range map[string]policy.Reason{"192.0.2.1": policy.NotAllowed, "198.51.100.1": policy.OK, "203.0.113.77": policy.OK, "203.0.113.1": policy.OK} {
		if got := a.Permits(netip.MustParseAddr(peer)); got != want {
			t.Errorf("after the change %s is %q, want %q", peer, got, want)
		}
	}
	reserve(t, a, 1) // the second, which the first Open did not give
	w.clock.pass(50 * time.Second)
	if w.Side("s", 'a') == nil {
		t.Error("the end did not move")
	}
	if w.Sync("one", nil); w.Side("s", 'a') == nil {
		t.Error("the former owner ends the session")
	}
	if w.Sync("two", nil); w.Side("s", 'a') != nil {
		t.Error("the owner does not end the session")
	}
}

func TestOpenRefusesThePast(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{})
	if err := w.Open(control.Session{ID: "s", Expires: w.clock.now()}); !errors.Is(err, ErrExpired) || w.Stats().Sessions != 0 {
		t.Errorf("%v, %d sessions", err, w.Stats().Sessions)
	}
}

// ended checks that nothing of a session goes on.
func ended(t *testing.T, s *Side, allocations ...*allocation) {
	t.Helper()
	for _, a := range allocations {
		if !a.closed.Load() {
			t.Errorf("the allocation %v is not closed", a.relayed)
		}
		if got := s.Refusal(a.relayed); got != Ended {
			t.Errorf("a relayed address of the session is %q, want %q", got, Ended)
		}
	}
	if s.Take(1) || s.Allows(netip.MustParseAddrPort("192.0.2.1:1")) || s.Permits(netip.MustParseAddr("192.0.2.1")) != Ended {
		t.Error("after the end something is allowed")
	}
	if n := s.Counters().Snapshot().Refused[netip.MustParseAddr("192.0.2.1")]; n != 0 || !s.Ended() {
		t.Errorf("after the end %d refused peers are counted", n)
	}
	if _, err := s.Reserve(); !errors.Is(err, ErrEnded) {
		t.Errorf("after the end Reserve says %v", err)
	}
	late := at("203.0.113.1:59999")
	if s.Attach(late); !late.closed.Load() {
		t.Error("an allocation that comes after the end stays")
	}
	s.Detach(late)
}

func TestEnd(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	a, b := w.open(control.Session{ID: "s"})
	other, _ := w.open(control.Session{ID: "other"})
	one, two, three := at("203.0.113.1:50000"), at("203.0.113.1:50001"), at("203.0.113.1:50002")
	a.Attach(one)
	b.Attach(two)
	other.Attach(three)
	generation := a.Generation()
	a.Counters().Up(3, 300)
	a.Counters().Down(2, 200)
	b.Counters().Drop(tally.NoPermission, 4)
	b.Permits(netip.MustParseAddr("127.0.0.1"))
	b.Permits(netip.MustParseAddr("::ffff:127.0.0.1"))
	for i := range byte(control.MaxRefusedPeers + 2) {
		a.Permits(netip.AddrFrom4([4]byte{198, 51, 100, i}))
	}

	got, ok := w.End("s")
	want := control.Counters{
		Allocations: 2, PacketsUp: 3, BytesUp: 300, PacketsDown: 2, BytesDown: 200,
		Drops: map[string]uint64{"no_permission": 4}, RefusedPeers: map[string]uint64{"127.0.0.1": 2, control.OtherPeers: 3},
	}
	for i := range control.MaxRefusedPeers - 1 {
		want.RefusedPeers[fmt.Sprint("198.51.100.", i)] = 1
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("found %v, counters differ:\n%s", ok, diff)
	}
	if a.Generation() == generation || w.Side("s", 'a') != nil {
		t.Error("the end does not move the generation, or the session is still there")
	}
	ended(t, a, one, two)
	ended(t, b, one, two)
	if _, ok := w.End("s"); ok {
		t.Error("a session ends twice")
	}
	if three.closed.Load() || !other.Take(1) || w.Stats().Sessions != 1 {
		t.Error("another session ended, too")
	}
}

// TestEndWaits: a second End returns no earlier than what the first one closes is closed; allocations call back when they close.
func TestEndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Limits{}, policy.Config{})
		a, _ := w.open(control.Session{ID: "s"})
		one, gate := at("203.0.113.1:50000"), make(chan struct{})
		one.onClose = func() { <-gate; a.Detach(one) }
		a.Attach(one)
		returned := make(chan bool, 2)
		for range 2 {
			go func() { _, ok := w.End("s"); returned <- ok }()
		}
		synctest.Wait()
		if len(returned) != 0 || a.Take(1) {
			t.Error("End returned before the allocation was closed, or the session still relays meanwhile")
		}
		close(gate)
		if first, second := <-returned, <-returned; !first || !second {
			t.Errorf("two that end a session at once are told %v and %v", first, second)
		}
	})
}

// TestOpenDuringEnd: a session that is opened again while its former allocations are being closed stays open.
func TestOpenDuringEnd(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{})
	before, _ := w.open(control.Session{ID: "s"})
	one := at("203.0.113.1:50000")
	var after *Side
	one.onClose = func() { after, _ = w.open(control.Session{ID: "s"}) }
	before.Attach(one)
	if _, ok := w.End("s"); !ok || after == before || w.Side("s", 'a') != after || !after.Take(1) {
		t.Errorf("ended %v, the session that was opened meanwhile is there: %v", ok, w.Side("s", 'a') == after)
	}
	ended(t, before, one)
}

func TestSync(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{})
	for id, owner := range map[string]string{"kept": "n1", "gone": "n1", "other": "n2", "rest": ""} {
		w.open(control.Session{ID: id, Owner: owner})
	}
	gone, one := w.Side("gone", 'a'), at("203.0.113.1:50000")
	gone.Attach(one)
	w.Sync("n1", []string{"kept", "unknown", "other"})
	ended(t, gone, one)
	for id, want := range map[string]bool{"kept": true, "gone": false, "other": true, "rest": true} {
		if got := w.Side(id, 'a') != nil; got != want {
			t.Errorf("session %s is there: %v, want %v", id, got, want)
		}
	}
	if _, ok := w.Counters("gone"); ok {
		t.Error("the session that its owner does not know is not forgotten")
	}
}

// TestExpiry: from its end on a session allocates nothing, and a second later it relays nothing; its owner can still ask what it did, for an hour.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(Limits{}, policy.New(policy.Config{}), time.Now)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { table.Run(ctx); close(done) }()
		open := func(id, owner string, life time.Duration) {
			if err := table.Open(control.Session{ID: id, Owner: owner, Expires: time.Now().Add(life)}); err != nil {
				t.Fatal(err)
			}
		}
		open("owned", "node", 10*time.Second+sweepEvery/2) // not when the table looks
		open("free", "", 10*time.Second)
		open("longer", "node", 20*time.Second)
		owned, longer, one := table.Side("owned", 'a'), table.Side("longer", 'b'), at("203.0.113.1:50000")
		owned.Attach(one)
		owned.Counters().Up(1, 100)

		time.Sleep(10*time.Second + sweepEvery/2 - time.Millisecond)
		if !owned.Take(1) || table.Side("owned", 'a') != owned || one.closed.Load() {
			t.Error("the session ended early")
		}
		time.Sleep(time.Millisecond)
		if table.Side("owned", 'a') != nil {
			t.Error("an expired session has sides")
		}
		time.Sleep(sweepEvery / 2)
		synctest.Wait()
		ended(t, owned, one)
		if !longer.Take(1) {
			t.Error("a session that has not expired ended, too")
		}
		if got, ok := table.Counters("owned"); !ok || got.BytesUp != 100 {
			t.Errorf("what an expired session did: %v, %+v", ok, got)
		}
		time.Sleep(sweepEvery)
		if _, ok := table.Counters("free"); ok {
			t.Error("an expired session that nobody owns is kept")
		}
		time.Sleep(kept / 2)
		if got, ok := table.End("owned"); !ok || got.Allocations != 1 {
			t.Errorf("the end of an expired session: %v, %+v", ok, got)
		}
		time.Sleep(kept)
		stop()
		<-done
		if len(table.sessions) != 0 {
			t.Errorf("%d sessions are kept for ever", len(table.sessions))
		}
	})
}

// TestOpenAgainAfterExpiry: who prolongs a session too late gets it back without its allocations, and nothing that it did is lost.
func TestOpenAgainAfterExpiry(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{})
	before, _ := w.open(control.Session{ID: "s", Owner: "node", Technician: "anna"})
	one := at("203.0.113.1:50000")
	before.Attach(one)
	before.Counters().Up(1, 100)
	w.clock.pass(2 * time.Minute)
	w.sweep()
	after, _ := w.open(control.Session{ID: "s", Owner: "node", Technician: "anna"})
	ended(t, before, one)
	if after == before || !after.Take(1) {
		t.Error("the session does not begin anew")
	}
	if got, ok := w.End("s"); !ok || got.BytesUp != 100 || got.Allocations != 1 {
		t.Errorf("%v, %+v", ok, got)
	}
}
