package guard

import (
	"net"
	"net/netip"
	"testing"

	"signalbox/turn/datapath"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// needIPv6 leaves a test out where relay ports cannot be bound to IPv6.
func needIPv6(t *testing.T) {
	t.Helper()
	c, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Skipf("LEFT OUT: IPv6 relays: this machine has no IPv6 loopback address: %v", err)
	}
	_ = c.Close() // it was only a try
}

func family(f byte) turntest.Attr {
	return turntest.Bytes(wire.AttrRequestedAddressFamily, f, 0, 0, 0)
}

// TestIPv6: a relay of the other family, for clients that ask for it.
func TestIPv6(t *testing.T) {
	needIPv6(t)
	w := newWorld(t, func(o *options) { o.relay = append(o.relay, datapath.RelayAddr{Bind: netip.IPv6Loopback()}) })
	w.open("ses_1")
	a, b := w.client("udp", "ses_1", 'a'), w.client("tcp", "ses_1", 'b')
	relayedA, err := a.Allocate(family(wire.FamilyIPv6))
	if err != nil || !relayedA.Addr().Is6() {
		t.Fatalf("relayed address %v, %v: want one of IPv6", relayedA, err)
	}
	relayedB, err := b.Allocate(family(wire.FamilyIPv6))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Permit(goodPeer); turntest.Code(err) != wire.CodePeerFamilyMismatch {
		t.Errorf("a peer of IPv4: %v, want 443", err)
	}
	if err := a.Permit(netip.MustParseAddrPort("[::ffff:198.51.100.7]:1")); turntest.Code(err) != wire.CodePeerFamilyMismatch {
		t.Errorf("a peer that is IPv4 in the spelling of IPv6: %v, want 443", err)
	}
	if err := a.Do(wire.TypeRefreshRequest, family(wire.FamilyIPv4)); turntest.Code(err) != wire.CodePeerFamilyMismatch {
		t.Errorf("refresh of IPv4: %v, want 443", err)
	}
	if err := a.Do(wire.TypeRefreshRequest, family(wire.FamilyIPv6)); err != nil {
		t.Errorf("refresh of IPv6: %v", err)
	}
	if err := a.Bind(0x4000, relayedB); err != nil {
		t.Fatal(err)
	}
	if err := b.Permit(relayedA); err != nil {
		t.Fatal(err)
	}
	if err := a.SendChannel(0x4000, []byte("over IPv6")); err != nil {
		t.Fatal(err)
	}
	if d := received(t, b); string(d.Payload) != "over IPv6" || d.Peer != relayedA {
		t.Errorf("received %q from %v", d.Payload, d.Peer)
	}
}

// TestIPv6Alone: where there is no IPv4 relay, who asks for one, which who asks for no family does, is told so.
func TestIPv6Alone(t *testing.T) {
	needIPv6(t)
	w := newWorld(t, func(o *options) { o.relay = []datapath.RelayAddr{{Bind: netip.IPv6Loopback()}} })
	w.open("ses_1")
	for name, attrs := range map[string][]turntest.Attr{"no family": nil, "IPv4": {family(wire.FamilyIPv4)}} {
		c := w.client("udp", "ses_1", 'a')
		if _, err := c.Allocate(attrs...); turntest.Code(err) != wire.CodeFamilyNotSupported || !signed(c) {
			t.Errorf("%s: %v, want a signed 440", name, err)
		}
		if relayed, err := c.Allocate(family(wire.FamilyIPv6)); err != nil || !relayed.Addr().Is6() {
			t.Errorf("IPv6 behind a refusal of %s: %v, %v", name, relayed, err)
		}
	}
}
