package session

import (
	"net/netip"
	"testing"

	"signalbox/turn/control"
	"signalbox/turn/policy"
)

// TestPeersOfTheSession: a relayed address of the session is a peer of both sides by its port, even where nothing else on that machine may be reached.
func TestPeersOfTheSession(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{
		Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, Deny: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
		Own: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8080"), netip.MustParseAddrPort("198.51.100.1:50000")},
	})
	a, b := w.open(control.Session{ID: "s"})
	stranger, _ := w.open(control.Session{ID: "other"})
	local, public := at("127.0.0.1:50000"), at("203.0.113.1:50001")
	for _, s := range []*Side{a, b} {
		if got := s.Permits(local.relayed.Addr()); got != policy.Loopback {
			t.Errorf("loopback is %q before anybody is bound there", got)
		}
	}
	a.Attach(local)
	a.Attach(public)
	for _, s := range []*Side{a, b} {
		for peer, want := range map[string]policy.Reason{
			"127.0.0.1:50000": policy.OK, "[::ffff:127.0.0.1]:50000": policy.OK, "203.0.113.1:50001": policy.OK,
			"127.0.0.1:50001": policy.Loopback, "127.0.0.1:8080": policy.Loopback, "127.0.0.2:50000": policy.Loopback, "203.0.113.1:50000": policy.Denied,
			"[::1]:50000": policy.Loopback, "198.51.100.1:50000": policy.OwnListener, "198.51.100.1:50001": policy.OK,
		} {
			if got := s.Refusal(netip.MustParseAddrPort(peer)); got != want {
				t.Errorf("%s is %q, want %q", peer, got, want)
			}
			if got := s.PermitsChannel(netip.MustParseAddrPort(peer)); got != want {
				t.Errorf("a channel to %s is %q, want %q", peer, got, want)
			}
			if got := s.Allows(netip.MustParseAddrPort(peer)); got != (want == policy.OK) {
				t.Errorf("%s is allowed: %v", peer, got)
			}
		}
		for peer, want := range map[string]policy.Reason{"127.0.0.1": policy.OK, "::ffff:127.0.0.1": policy.OK, "203.0.113.1": policy.OK, "127.0.0.2": policy.Loopback, "203.0.113.2": policy.Denied} {
			if got := s.Permits(netip.MustParseAddr(peer)); got != want {
				t.Errorf("a permission for %s is %q, want %q", peer, got, want)
			}
		}
	}
	if got := stranger.Refusal(local.relayed); got != policy.Loopback {
		t.Errorf("for another session the relayed address is %q", got)
	}
	if got := stranger.Refusal(public.relayed); got != policy.Denied {
		t.Errorf("for another session the relayed address is %q", got)
	}
}

// TestDetach: what was a relayed address of the session may be that of another one next.
func TestDetach(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{})
	a, b := w.open(control.Session{ID: "s"})
	one, two := at("203.0.113.1:50000"), at("203.0.113.1:50001")
	a.Attach(one)
	a.Attach(one)
	b.Attach(two)
	generation := b.Generation()
	a.Detach(one)
	if b.Generation() == generation || b.Allows(one.relayed) || !b.Allows(two.relayed) {
		t.Errorf("the generation was %d and is %d, the old address is allowed: %v, the other: %v", generation, b.Generation(), b.Allows(one.relayed), b.Allows(two.relayed))
	}
	generation = b.Generation()
	if a.Detach(one); b.Generation() != generation {
		t.Error("what is not attached is detached")
	}
	if got, ok := w.Counters("s"); !ok || got.Allocations != 2 || got.Open != 1 {
		t.Errorf("%d allocations were made, %d are there, want 2 and 1", got.Allocations, got.Open)
	}
	if w.End("s"); one.closed.Load() || !two.closed.Load() {
		t.Errorf("closed at the end: the detached one %v, the other %v", one.closed.Load(), two.closed.Load())
	}
}

// TestObserved: each side may reach where the other party was seen, and not where it was seen itself.
func TestObserved(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{})
	seen := func(text string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(text)} }
	a, b := w.open(control.Session{ID: "s", Observed: [2][]netip.Addr{seen("::ffff:192.0.2.2"), seen("2001:db8::1")}})
	for _, c := range []struct {
		side *Side
		peer string
		want policy.Reason
	}{
		{a, "192.0.2.2", policy.OK}, {a, "64:ff9b::192.0.2.2", policy.OK}, {a, "2001:db8::1", policy.NotAllowed}, {a, "192.0.2.3", policy.NotAllowed},
		{b, "2001:db8::1", policy.OK}, {b, "192.0.2.2", policy.NotAllowed},
	} {
		if got := c.side.Permits(netip.MustParseAddr(c.peer)); got != c.want {
			t.Errorf("%s of side %d is %q, want %q", c.peer, c.side.index, got, c.want)
		}
		if got := c.side.Refusal(netip.AddrPortFrom(netip.MustParseAddr(c.peer), 1)); got != c.want {
			t.Errorf("datagrams to %s of side %d are %q, want %q", c.peer, c.side.index, got, c.want)
		}
	}
}

// TestSessionsOpenNothingThatIsClosed: neither AllowPeers nor Observed of a session, nor turn.allow_peers, reach what nothing opens, or what the operator denied.
func TestSessionsOpenNothingThatIsClosed(t *testing.T) {
	everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"), netip.MustParsePrefix("::ffff:0.0.0.0/96")}
	w := newWorld(t, Limits{}, policy.Config{
		Allow: everything, Deny: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Own: []netip.AddrPort{netip.MustParseAddrPort("[::]:8080"), netip.MustParseAddrPort("192.0.2.5:5432")},
	})
	closed := map[string]policy.Reason{
		"127.0.0.1:1": policy.Loopback, "[::1]:1": policy.Loopback, "0.0.0.0:1": policy.Unspecified, "169.254.169.254:80": policy.Metadata, "[fd00:ec2::254]:80": policy.Metadata,
		"100.64.0.1:1": policy.SharedSpace, "224.0.0.1:1": policy.Multicast, "255.255.255.255:1": policy.Broadcast, "10.1.1.1:1": policy.Denied,
		"203.0.113.1:8080": policy.OwnListener, "192.0.2.5:5432": policy.OwnListener, "[64:ff9b::192.0.2.5]:5432": policy.OwnListener,
	}
	var seen []netip.Addr
	for peer := range closed {
		seen = append(seen, netip.MustParseAddrPort(peer).Addr())
	}
	a, b := w.open(control.Session{ID: "s", AllowPeers: everything, Observed: [2][]netip.Addr{seen, seen}})
	for peer, want := range closed {
		for _, s := range []*Side{a, b} {
			if got := s.Refusal(netip.MustParseAddrPort(peer)); got != want {
				t.Errorf("%s is %q, want %q", peer, got, want)
			}
		}
	}
	if got := a.Refusal(netip.MustParseAddrPort("8.8.8.8:53")); got != policy.OK {
		t.Errorf("what is open is %q", got)
	}
}

// TestAllowPeersOfASession: a range written as IPv4-mapped opens what it says.
func TestAllowPeersOfASession(t *testing.T) {
	w := newWorld(t, Limits{}, policy.Config{})
	a, _ := w.open(control.Session{ID: "s", AllowPeers: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("::ffff:198.51.100.0/120")}})
	other, _ := w.open(control.Session{ID: "other"})
	for peer, want := range map[string]bool{"192.0.2.7:1": true, "192.0.2.8:1": false, "198.51.100.9:1": true, "[::ffff:198.51.100.9]:1": true, "198.51.101.1:1": false} {
		if got := a.Allows(netip.MustParseAddrPort(peer)); got != want {
			t.Errorf("%s is allowed: %v, want %v", peer, got, want)
		}
		if other.Allows(netip.MustParseAddrPort(peer)) {
			t.Errorf("another session reaches %s", peer)
		}
	}
}

// hot is what the data path asks for a packet.
func hot(t testing.TB, rate int64) func() {
	w := NewTable(Limits{SessionRate: rate, TotalRate: rate}, policy.New(policy.Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}), new(clock).now)
	end := new(clock).now().Add(1)
	if err := w.Open(control.Session{ID: "s", Expires: end, Observed: [2][]netip.Addr{{netip.MustParseAddr("192.0.2.1")}}}); err != nil {
		t.Fatal(err)
	}
	s := w.Side("s", control.SideA)
	s.Attach(at("203.0.113.1:50000"))
	peers := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("203.0.113.1:50000")}
	return func() {
		for _, peer := range peers {
			if !s.Allows(peer) || !s.Take(1200) || s.Generation() == 0 {
				t.Fatal(s.Refusal(peer))
			}
			s.Counters().Up(1, 1)
		}
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	for _, rate := range []int64{0, 1 << 40} {
		if n := testing.AllocsPerRun(100, hot(t, rate)); n != 0 {
			t.Errorf("with a rate of %d: %v allocations, want none", rate, n)
		}
	}
}

func BenchmarkHotPath(b *testing.B) {
	for name, rate := range map[string]int64{"unlimited": 0, "limited": 1 << 40} {
		b.Run(name, func(b *testing.B) {
			f := hot(b, rate)
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
