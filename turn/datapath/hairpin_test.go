package datapath

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"signalbox/turn/tally"
)

// TestHairpin: two allocations talk in memory, by announced and by bound address; each sees the other's announced one.
func TestHairpin(t *testing.T) {
	for _, portable := range []bool{false, true} {
		for _, transports := range [][2]Transport{{UDP, UDP}, {UDP, TCP}, {TCP, UDP}, {TCP, TCP}} {
			t.Run(fmt.Sprintf("portable=%v %v", portable, transports), func(t *testing.T) {
				w := newWorld(t, "127.0.0.1", portable, "203.0.113.7") // where nothing could be sent to by a socket
				one, two := w.client(transports[0]), w.client(transports[1])
				o1, o2 := new(owner), new(owner)
				a1, a2 := one.allocate(o1), two.allocate(o2)
				w.check(a1.Bind(0x4001, a2.Relayed(), later()))
				w.check(a2.Bind(0x4002, a1.Relayed(), later()))
				w.check(a1.Permit(later(), w.ip))
				for i, n := range append(sizes, sizes...) {
					one.send(one.padded(channelData(0x4001, payload(i, n))))
					if got, want := two.receive(), two.padded(channelData(0x4002, payload(i, n))); !bytes.Equal(got, want) {
						t.Fatalf("payload %d: got %.20x, want %.20x", i, got, want)
					}
					two.send(sendIndication(a1.Relayed(), payload(i, n)))
					if got, want := one.receive(), one.padded(channelData(0x4001, payload(i, n))); !bytes.Equal(got, want) {
						t.Fatalf("payload %d back: got %.20x, want %.20x", i, got, want)
					}
				}
				one.send(sendIndication(netip.AddrPortFrom(w.ip, a2.Relayed().Port()), []byte("to the bound address")))
				if got, want := two.receive(), two.padded(channelData(0x4002, []byte("to the bound address"))); !bytes.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
				n := uint64(2 * len(sizes))
				w.waitFor(o1, "the counters", func(s tally.Snapshot) bool { return s.PacketsUp == n+1 && s.PacketsDown == n })
				w.waitFor(o2, "the counters", func(s tally.Snapshot) bool { return s.PacketsUp == n && s.PacketsDown == n+1 })
			})
		}
	}
}

// TestHairpinAsksBoth: the sender's owner and the receiver's permissions, owner and rate decide as they do for sockets.
func TestHairpinAsksBoth(t *testing.T) {
	w := newWorld(t, "127.0.0.1", false, "")
	one, two := w.client(UDP), w.client(UDP)
	o1, o2 := new(owner), new(owner)
	a1, a2 := one.allocate(o1), two.allocate(o2)
	w.check(a1.Bind(0x4001, a2.Relayed(), later()))
	drop := func(o *owner, reason tally.Reason) {
		t.Helper()
		one.send(channelData(0x4001, []byte("x")))
		w.waitFor(o, reason.String(), func(s tally.Snapshot) bool { return s.Drops[reason] == 1 })
	}
	drop(o2, tally.NoPermission)
	w.check(a2.Permit(later(), a1.Relayed().Addr()))
	o1.refuse(a2.Relayed())
	drop(o1, tally.PeerRefused)
	o1.refuse(netip.AddrPort{})
	o2.refuse(a1.Relayed())
	drop(o2, tally.PeerRefused)
	o2.refuse(netip.AddrPort{})
	o2.empty.Store(true)
	drop(o2, tally.RateLimited)
	o2.empty.Store(false)
	one.send(channelData(0x4001, []byte("y")))
	w.checkData(two.receive(), a1.Relayed(), []byte("y"))
	o1.ended.Store(true)
	o1.refuse(a2.Relayed())
	drop(o1, tally.SessionClosed)
	o1.ended.Store(false)
	a2.Close()
	drop(o1, tally.PeerGone)
	o1.refuse(netip.AddrPort{})
	if s := o1.counters.Snapshot(); len(s.Refused) != 0 {
		t.Errorf("relayed addresses are counted as refused peers: %v", s.Refused)
	}
	// It is a socket's address like others, where the owner allows it.
	one.send(channelData(0x4001, []byte("z")))
	w.waitFor(o1, "the last packet", func(s tally.Snapshot) bool { return s.PacketsUp+s.Drops[tally.SendFailed] == 5 })
}

// TestHairpinOfManyFrames: more than a round holds, in one read of a stream, arrive in order.
func TestHairpinOfManyFrames(t *testing.T) {
	w := newWorld(t, "127.0.0.1", false, "")
	one, two := w.client(TCP), w.client(TCP)
	a1, a2 := one.allocate(new(owner)), two.allocate(new(owner))
	w.check(a1.Bind(0x4001, a2.Relayed(), later()))
	w.check(a2.Bind(0x4002, a1.Relayed(), later()))
	const frames = 1000
	var all []byte
	for i := range frames {
		all = append(all, channelData(0x4001, payload(i, 8))...)
	}
	one.send(all)
	for i := range frames {
		if got, want := two.receive(), channelData(0x4002, payload(i, 8)); !bytes.Equal(got, want) {
			t.Fatalf("frame %d: got %x, want %x", i, got, want)
		}
	}
}
