package datapath

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"signalbox/turn/tally"
	"signalbox/turn/wire"
)

// sizes of payloads: none, odd ones, many equal ones, the longest.
var sizes = []int{0, 1, 2, 3, 4, 5, 1200, 1200, 1200, 1199, 1200, 1200, 100, 100, MaxPayload}

func TestChannelDataBothWays(t *testing.T) {
	each(t, func(t *testing.T, w *world, c *client) {
		o, peer := new(owner), w.peer()
		a, at := c.allocate(o), addrPort(peer.LocalAddr())
		if err := a.Bind(0x4001, at, later()); err != nil {
			t.Fatal(err)
		}
		var together []byte
		for i, n := range sizes {
			if p := payload(i, n); c.at.Transport == TCP {
				together = append(together, c.padded(channelData(0x4001, p))...)
			} else {
				c.send(channelData(0x4001, p))
			}
		}
		if together != nil {
			c.send(together)
		}
		for i, n := range sizes {
			w.expect(peer, a.Relayed(), payload(i, n))
		}
		for i, n := range sizes {
			w.write(peer, a.Relayed(), payload(i, n))
			if got, want := c.receive(), c.padded(channelData(0x4001, payload(i, n))); !bytes.Equal(got, want) {
				t.Fatalf("payload %d: client got %d bytes %.20x, want %d bytes %.20x", i, len(got), got, len(want), want)
			}
		}
		w.checkCounts(o, sizes)
	})
}

// checkCounts: each payload went up once and down once.
func (w *world) checkCounts(o *owner, sizes []int) {
	w.t.Helper()
	bytes := uint64(0)
	for _, n := range sizes {
		bytes += uint64(n)
	}
	n := uint64(len(sizes))
	w.waitFor(o, "the counters of all packets", func(s tally.Snapshot) bool {
		return s.PacketsUp == n && s.PacketsDown == n && s.BytesUp == bytes && s.BytesDown == bytes && s.Drops == [tally.Reasons]uint64{}
	})
}

func TestIndicationsBothWays(t *testing.T) {
	each(t, func(t *testing.T, w *world, c *client) {
		o, peer := new(owner), w.peer()
		a, at := c.allocate(o), addrPort(peer.LocalAddr())
		if err := a.Permit(later(), at.Addr()); err != nil {
			t.Fatal(err)
		}
		for i, n := range sizes {
			c.send(sendIndication(at, payload(i, n)))
			w.expect(peer, a.Relayed(), payload(i, n))
			w.write(peer, a.Relayed(), payload(i, n))
			w.checkData(c.receive(), at, payload(i, n))
		}
		w.checkCounts(o, sizes)
	})
}

// TestChannelOfOneBesideThePermissionOfAnother: peers with a channel come by it, others as indications, in their order.
func TestChannelBesidePermission(t *testing.T) {
	each(t, func(t *testing.T, w *world, c *client) {
		one, two := w.peer(), w.peer()
		a := c.allocate(new(owner))
		if err := a.Bind(0x4FFF, addrPort(one.LocalAddr()), later()); err != nil {
			t.Fatal(err)
		}
		if err := a.Permit(later(), w.ip); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			w.write(one, a.Relayed(), payload(i, 10))
			w.write(two, a.Relayed(), payload(i, 11))
			if got, want := c.receive(), c.padded(channelData(0x4FFF, payload(i, 10))); !bytes.Equal(got, want) {
				t.Fatalf("got %x, want %x", got, want)
			}
			w.checkData(c.receive(), addrPort(two.LocalAddr()), payload(i, 11))
		}
	})
}

// TestDrops: what is not relayed is counted by reason, and what comes behind it still passes.
func TestDrops(t *testing.T) {
	each(t, func(t *testing.T, w *world, c *client) {
		peer, other := w.peer(), w.peer()
		at := addrPort(peer.LocalAddr())
		unknown := message(wire.TypeSendIndication, func(b *wire.Builder) {
			b.AddAddr(wire.AttrXORPeerAddress, at)
			b.Add(wire.AttrDontFragment, nil)
			b.Add(wire.AttrData, []byte("x"))
		})
		withoutData := message(wire.TypeSendIndication, func(b *wire.Builder) { b.AddAddr(wire.AttrXORPeerAddress, at) })
		withoutPeer := message(wire.TypeSendIndication, func(b *wire.Builder) { b.Add(wire.AttrData, []byte("x")) })
		otherFamily := netip.MustParseAddrPort("[2001:db8::1]:9")
		mapped := netip.AddrPortFrom(netip.MustParseAddr("::ffff:127.0.0.1"), at.Port())
		if w.ip.Is6() {
			otherFamily = netip.MustParseAddrPort("192.0.2.1:9")
		}
		for _, tc := range []struct {
			name   string
			reason tally.Reason
			do     func(a *Allocation, o *owner)
		}{
			{"a channel that is not bound", tally.NoChannel, func(*Allocation, *owner) { c.send(c.padded(channelData(0x4002, []byte("x")))) }},
			{"a channel that was", tally.NoChannel, func(a *Allocation, _ *owner) {
				w.check(a.Bind(0x4003, netip.AddrPortFrom(w.ip, 9), time.Now().Add(-time.Second)))
				c.send(c.padded(channelData(0x4003, []byte("x"))))
			}},
			{"a peer without permission", tally.NoPermission, func(*Allocation, *owner) { c.send(sendIndication(addrPort(other.LocalAddr()), []byte("x"))) }},
			{"a permission that is over", tally.NoPermission, func(a *Allocation, _ *owner) {
				w.check(a.Permit(time.Now().Add(-time.Second), w.ip))
				c.send(sendIndication(addrPort(other.LocalAddr()), []byte("x")))
			}},
			{"from a peer without permission", tally.NoPermission, func(a *Allocation, _ *owner) { w.write(other, a.Relayed(), []byte("x")) }},
			{"a peer that the owner refuses", tally.PeerRefused, func(_ *Allocation, o *owner) {
				o.refuse(at)
				c.send(c.padded(channelData(0x4001, []byte("x"))))
			}},
			{"from a peer that the owner refuses", tally.PeerRefused, func(a *Allocation, o *owner) {
				o.refuse(at)
				w.write(peer, a.Relayed(), []byte("x"))
			}},
			{"a rate that is used up", tally.RateLimited, func(_ *Allocation, o *owner) {
				o.empty.Store(true)
				c.send(c.padded(channelData(0x4001, []byte("x"))))
			}},
			{"a rate that is used up, down", tally.RateLimited, func(a *Allocation, o *owner) {
				o.empty.Store(true)
				w.write(peer, a.Relayed(), []byte("x"))
			}},
			{"another family", tally.PeerFamily, func(*Allocation, *owner) { c.send(sendIndication(otherFamily, []byte("x"))) }},
			{"an IPv4-mapped address", tally.PeerFamily, func(*Allocation, *owner) { c.send(sendIndication(mapped, []byte("x"))) }},
			{"port 0", tally.Malformed, func(*Allocation, *owner) { c.send(sendIndication(netip.AddrPortFrom(w.ip, 0), []byte("x"))) }},
			{"an attribute that must be known", tally.Malformed, func(*Allocation, *owner) { c.send(unknown) }},
			{"no data", tally.Malformed, func(*Allocation, *owner) { c.send(withoutData) }},
			{"no peer", tally.Malformed, func(*Allocation, *owner) { c.send(withoutPeer) }},
			{"too long", tally.TooLong, func(*Allocation, *owner) { c.send(c.padded(channelData(0x4001, payload(1, MaxPayload+1)))) }},
			{"too long, down", tally.TooLong, func(a *Allocation, _ *owner) { w.write(peer, a.Relayed(), payload(1, MaxPayload+1)) }},
			{"far too long, down", tally.TooLong, func(a *Allocation, _ *owner) { w.write(peer, a.Relayed(), payload(1, 9000)) }},
		} {
			o := new(owner)
			a := c.allocate(o)
			w.check(a.Bind(0x4001, at, later()))
			tc.do(a, o)
			w.waitFor(o, tc.name, func(s tally.Snapshot) bool { return s.Drops[tc.reason] == 1 })
			if s := o.counters.Snapshot(); s.PacketsUp+s.PacketsDown != 0 || (tc.reason == tally.PeerRefused) != (len(s.Refused) == 1) {
				t.Errorf("%s: %+v", tc.name, s)
			}
			o.empty.Store(false)
			o.refuse(netip.AddrPort{})
			c.send(c.padded(channelData(0x4001, []byte(tc.name))))
			w.expect(peer, a.Relayed(), []byte(tc.name))
			w.write(peer, a.Relayed(), []byte(tc.name))
			if got, want := c.receive(), c.padded(channelData(0x4001, []byte(tc.name))); !bytes.Equal(got, want) {
				t.Errorf("%s: then got %q", tc.name, got)
			}
			a.Close()
		}
	})
}

// TestDatagramsThatAreNone: a stranger's bytes reach neither Control nor a peer, and the loop goes on.
func TestDatagramsThatAreNone(t *testing.T) {
	for _, portable := range []bool{false, true} {
		w := newWorld(t, "127.0.0.1", portable, "")
		conn, err := net.Dial("udp", w.udp.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		binding := message(wire.TypeBindingRequest, nil)
		for _, b := range [][]byte{{}, {0}, {0x40, 0}, {0x40, 0, 0, 9, 1}, {0x50, 0, 0, 0}, {0x80, 1, 2, 3}, {0, 1, 0xFF, 0xEC}, binding[:19], append(binding[:20:20], 0), make([]byte, 1981), make([]byte, 20000)} {
			if _, err := conn.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		w.client(UDP)
		if n := len(w.control.requests); n != 0 {
			t.Errorf("%d requests reached Control", n)
		}
	}
}

// TestVerdictsAreKept: the owner is asked once per peer and generation.
func TestVerdictsAreKept(t *testing.T) {
	w := newWorld(t, "127.0.0.1", false, "")
	c, o, peer := w.client(UDP), new(owner), w.peer()
	a, at := c.allocate(o), addrPort(peer.LocalAddr())
	w.check(a.Permit(later(), at.Addr()))
	for generation := range 3 {
		for i := range 10 {
			c.send(sendIndication(at, payload(i, 10)))
			w.expect(peer, a.Relayed(), payload(i, 10))
			w.write(peer, a.Relayed(), payload(i, 10))
			w.checkData(c.receive(), at, payload(i, 10))
		}
		if n := o.asked.Load(); n != int64(generation+1) {
			t.Errorf("asked %d times in %d generations", n, generation+1)
		}
		o.generation.Add(1)
	}
}

// TestAnnouncedAddress: clients are told the announced address, peers see the bound one.
func TestAnnouncedAddress(t *testing.T) {
	w := newWorld(t, "127.0.0.1", false, "203.0.113.7")
	c, peer := w.client(UDP), w.peer()
	a := c.allocate(new(owner))
	if a.Relayed().Addr() != netip.MustParseAddr("203.0.113.7") || a.PacketConn().LocalAddr().String() != a.Relayed().String() {
		t.Errorf("relayed address %s, %s", a.Relayed(), a.PacketConn().LocalAddr())
	}
	bound := netip.AddrPortFrom(w.ip, a.Relayed().Port())
	w.check(a.Bind(0x4000, addrPort(peer.LocalAddr()), later()))
	c.send(channelData(0x4000, []byte("x")))
	w.expect(peer, bound, []byte("x"))
	if w.At(bound) != a || w.At(a.Relayed()) != a || w.Allocation(c.at) != a {
		t.Error("the allocation is not found")
	}
	a.Close()
	if w.At(bound) != nil || w.At(a.Relayed()) != nil || w.Allocation(c.at) != nil {
		t.Error("the allocation is found after its end")
	}
}

// TestWildcardListener: the client's local address is that which it wrote to, and it gets its answers from there.
func TestWildcardListener(t *testing.T) {
	w := newWorld(t, "127.0.0.1", false, "")
	u, err := net.ListenUDP("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	port := addrPort(u.LocalAddr()).Port()
	ctx, cancel := context.WithCancel(w.ctx)
	go func() { done <- w.ServeUDP(ctx, u) }()
	for _, ip := range []string{"127.0.0.1", "127.0.0.5", "::1"} {
		w.udp = netip.AddrPortFrom(netip.MustParseAddr(ip), port)
		c, peer := w.client(UDP), w.peer()
		if c.at.Local != w.udp || c.at.Remote != addrPort(c.LocalAddr()) {
			t.Errorf("client %s at %s, want %s at %s", c.at.Remote, c.at.Local, c.LocalAddr(), w.udp)
		}
		c.at.Answer([]byte("answer"))
		if got := c.receive(); string(got) != "answer" {
			t.Errorf("got %q", got)
		}
		a := c.allocate(new(owner))
		w.check(a.Bind(0x4000, addrPort(peer.LocalAddr()), later()))
		w.write(peer, a.Relayed(), []byte("x"))
		if got := c.receive(); !bytes.Equal(got, channelData(0x4000, []byte("x"))) {
			t.Errorf("got %q", got)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
