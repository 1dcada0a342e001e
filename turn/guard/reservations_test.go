package guard

import (
	"bytes"
	"net/netip"
	"testing"

	"signalbox/turn/datapath"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// What asks for two ports side by side, and what does not go with it.
var (
	pair       = turntest.Bytes(wire.AttrEvenPort, 0x80)
	additional = turntest.Bytes(wire.AttrAdditionalFamily, wire.FamilyIPv6, 0, 0, 0)
)

func token(t string) turntest.Attr { return turntest.Bytes(wire.AttrReservationToken, []byte(t)...) }

// reserved is a client with an allocation, its relayed address and the token for the next port.
func (w *world) reserved(id string, side byte, attrs ...turntest.Attr) (*turntest.Client, netip.AddrPort, turntest.Attr) {
	w.t.Helper()
	c := w.client("udp", id, side)
	relayed, err := c.Allocate(append(attrs, pair)...)
	if err != nil || relayed.Port()%2 != 0 {
		w.t.Fatalf("allocate a pair: %v, %v", relayed, err)
	}
	value, _ := c.Last.Get(wire.AttrReservationToken)
	if len(value) != 8 || !signed(c) {
		w.t.Fatalf("token %x, signed %v", value, signed(c))
	}
	return c, relayed, token(string(value))
}

// wants asks for an allocation by a new client and holds the answer against a code, and a port if that is not 0.
func (w *world) wants(code int, port uint16, what, id string, side byte, attrs ...turntest.Attr) *turntest.Client {
	w.t.Helper()
	c := w.client("udp", id, side)
	relayed, err := c.Allocate(attrs...)
	if turntest.Code(err) != code || !signed(c) || port != 0 && relayed.Port() != port {
		w.t.Errorf("%s: %v, %v; want code %d, port %d", what, relayed, err, code, port)
	}
	return c
}

// TestReservation: the token of the one allocation gets the next port for another, once, and packets pass there.
func TestReservation(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	_, relayed, token := w.reserved("ses_1", 'a')
	next := w.client("tcp", "ses_1", 'a')
	relayedNext, err := next.Allocate(token)
	if err != nil || relayedNext != netip.AddrPortFrom(relayed.Addr(), relayed.Port()+1) {
		t.Fatalf("beside %v: %v, %v", relayed, relayedNext, err)
	}
	if value, ok := next.Last.Get(wire.AttrReservationToken); ok {
		t.Errorf("an allocation that a token got has the token %x", value)
	}
	w.wants(508, 0, "the token again", "ses_1", 'a', token)

	peer, relayedPeer := w.allocated("udp", "ses_1", 'b')
	must(t, peer.Permit(relayedNext))
	must(t, next.Permit(relayedPeer))
	must(t, next.Send(relayedPeer, []byte("control")))
	if d := received(t, peer); string(d.Payload) != "control" || d.Peer != relayedNext {
		t.Errorf("received %q from %v", d.Payload, d.Peer)
	}
	must(t, peer.Send(relayedNext, []byte("report")))
	if d := received(t, next); string(d.Payload) != "report" {
		t.Errorf("received %q", d.Payload)
	}
}

// TestReservationAsked: who asks twice, as an answer was lost, gets the same answer; for the pair as for the token.
func TestReservationAsked(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	ask := func(c *turntest.Client, attrs ...turntest.Attr) (first, again []byte) {
		if err := c.Once(wire.TypeAllocateRequest); turntest.Code(err) != wire.CodeUnauthenticated {
			t.Fatal(err)
		}
		id := turntest.NewID()
		request := c.Build(wire.TypeAllocateRequest, id, append(attrs, turntest.Transport())...)
		must(t, c.Exchange(request, id))
		first = bytes.Clone(c.Raw)
		must(t, c.Exchange(request, id))
		return first, bytes.Clone(c.Raw)
	}
	c, next := w.client("udp", "ses_1", 'a'), w.client("udp", "ses_1", 'a')
	first, again := ask(c, pair)
	if !bytes.Equal(first, again) {
		t.Errorf("the pair: %x, again %x", first, again)
	}
	value, _ := c.Last.Get(wire.AttrReservationToken)
	if first, again := ask(next, token(string(value))); !bytes.Equal(first, again) {
		t.Errorf("the token: %x, again %x", first, again)
	}
}

// TestReservationLife: a port is kept for half a minute, whether or not the allocation beside it has ended. The guard's clock runs behind that of the data path, see TestExpiry.
func TestReservationLife(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	w.behind(reservationLife - patience/2)
	first, relayed, token := w.reserved("ses_1", 'a')
	must(t, first.Refresh(0))
	w.wants(0, relayed.Port()+1, "before its end", "ses_1", 'a', token)
	w.behind(reservationLife)
	_, _, token = w.reserved("ses_1", 'a')
	w.wants(508, 0, "behind its end", "ses_1", 'a', token)
}

// TestReservationOfSession: a token is worth nothing to other sessions, and is free as soon as its own ends.
func TestReservationOfSession(t *testing.T) {
	w := newWorld(t, func(o *options) { o.ports = 2 })
	w.open("ses_1")
	w.open("ses_2")
	_, relayed, token := w.reserved("ses_1", 'a')
	w.wants(508, 0, "the token of another session", "ses_2", 'a', token)
	w.wants(508, 0, "any port, where one is used and one kept", "ses_2", 'a')
	w.wants(508, 0, "a second pair, where there is none", "ses_1", 'b', pair)
	w.wants(0, relayed.Port()+1, "the token of the other side", "ses_1", 'b', token)

	w.sessions.End("ses_1")
	_, _, token = w.reserved("ses_2", 'a')
	w.sessions.End("ses_2")
	w.open("ses_1")
	w.wants(508, 0, "the token of a session that has ended", "ses_1", 'a', token)
	w.open("ses_2")
	w.wants(508, 0, "the token of a session that has ended and was opened again", "ses_2", 'a', token)
	w.wants(0, 0, "one of two ports", "ses_1", 'a')
	w.wants(0, 0, "the other one", "ses_2", 'a')
}

// TestReservationOfOnePort: a range of one port has no pair, and lets nothing else be wanting.
func TestReservationOfOnePort(t *testing.T) {
	w := newWorld(t, func(o *options) { o.ports = 1 })
	w.open("ses_1")
	w.wants(508, 0, "a pair", "ses_1", 'a', pair)
	w.wants(0, 65535, "the port", "ses_1", 'a')
}

// TestReservationAndQuota: a port that is kept is no allocation, and what a token gets is one.
func TestReservationAndQuota(t *testing.T) {
	w := newWorld(t, func(o *options) { o.limits.SessionAllocations = 1 })
	w.open("ses_1")
	first, relayed, token := w.reserved("ses_1", 'a')
	w.wants(486, 0, "a second allocation", "ses_1", 'a', token)
	must(t, first.Refresh(0))
	w.wants(0, relayed.Port()+1, "instead of the first", "ses_1", 'a', token)
}

// TestReservationsOfSession: a session that makes allocations and ends them again has so many ports kept, and no more.
func TestReservationsOfSession(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	for range datapath.MaxKept {
		c, _, _ := w.reserved("ses_1", 'a')
		must(t, c.Refresh(0))
	}
	w.wants(508, 0, "one more", "ses_1", 'a', pair)
	w.wants(0, 0, "no pair", "ses_1", 'a')
}

// TestReservationIPv6: a token brings the family, which the client does not name.
func TestReservationIPv6(t *testing.T) {
	needIPv6(t)
	w := newWorld(t, func(o *options) { o.relay = append(o.relay, datapath.RelayAddr{Bind: netip.IPv6Loopback()}) })
	w.open("ses_1")
	_, relayed, token := w.reserved("ses_1", 'a', family(wire.FamilyIPv6))
	if !relayed.Addr().Is6() {
		t.Fatalf("relayed address %v", relayed)
	}
	next := w.client("udp", "ses_1", 'a')
	if got, err := next.Allocate(token); err != nil || got != netip.AddrPortFrom(relayed.Addr(), relayed.Port()+1) {
		t.Fatalf("beside %v: %v, %v", relayed, got, err)
	}
	if err := next.Permit(goodPeer); turntest.Code(err) != wire.CodePeerFamilyMismatch {
		t.Errorf("a peer of IPv4: %v, want 443", err)
	}
	must(t, next.Permit(relayed))
	must(t, next.Do(wire.TypeRefreshRequest, family(wire.FamilyIPv6)))
}
