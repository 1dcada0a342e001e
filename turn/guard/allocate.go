package guard

import (
	"encoding/binary"

	"signalbox/turn/wire"
)

// allocate handles an Allocate along the steps of RFC 8656 section 7.2, up to where pion is asked.
func (g *Guard) allocate(x *exchange, held *allocation) {
	if held != nil {
		g.allocateAgain(x, held)
		return
	}
	a := &allocation{client: x.from, user: x.user, first: x.id}
	if code := a.read(x.m); code != 0 {
		g.refuse(&x.origin, code)
		return
	}
	lifetime, ok := lifetimeOf(x.m)
	if !ok {
		g.refuse(&x.origin, wire.CodeBadRequest)
		return
	}
	release, err := x.user.side.Reserve()
	if err != nil {
		g.debug("allocation refused", x, err.Error())
		g.refuse(&x.origin, wire.CodeAllocationQuota)
		return
	}
	a.release = release
	g.enter(a)
	if !g.pion.put(&question{origin: x.kept(), allocation: a, lifetime: max(lifetime, DefaultLifetime)}) {
		g.forget(a)
	}
}

// allocateAgain handles an Allocate of a client that has an allocation: its own one again, as the answer was lost, or a second one, which cannot be.
func (g *Guard) allocateAgain(x *exchange, held *allocation) {
	switch {
	case held.first != x.id || held.user.name != x.user.name:
		g.refuse(&x.origin, wire.CodeAllocationMismatch)
	case held.live():
		g.metrics.repeats.Inc()
		g.succeed(&x.origin, held.describe)
	default: // pion is at it
		g.metrics.repeats.Inc()
	}
}

// read takes what the client wants of its allocation; an error code if it cannot have that.
func (a *allocation) read(m *wire.Message) int {
	transport, ok := m.Get(wire.AttrRequestedTransport)
	switch {
	case !ok || len(transport) != 4:
		return wire.CodeBadRequest
	case transport[0] != wire.TransportUDP:
		return wire.CodeTransportUnsupported
	}
	family, hasFamily := m.Get(wire.AttrRequestedAddressFamily)
	even, hasEven := m.Get(wire.AttrEvenPort)
	_, hasToken := m.Get(wire.AttrReservationToken)
	switch {
	case hasEven && len(even) != 1 || hasFamily && len(family) != 4 || hasToken && (hasEven || hasFamily):
		return wire.CodeBadRequest
	case hasToken || hasEven && even[0]&0x80 != 0: // no second port is kept for later
		return wire.CodeInsufficientCapacity
	case hasFamily && family[0] != wire.FamilyIPv4 && family[0] != wire.FamilyIPv6:
		return wire.CodeFamilyNotSupported
	}
	a.even, a.ipv6 = hasEven, hasFamily && family[0] == wire.FamilyIPv6
	return 0
}

// lifetimeOf returns the LIFETIME that a client gets, in seconds: DefaultLifetime to MaxLifetime (RFC 8656 section 7.2), or 0 if it asked for that. Not ok: LIFETIME is
// malformed.
func lifetimeOf(m *wire.Message) (seconds uint32, ok bool) {
	value, given := m.Get(wire.AttrLifetime)
	switch {
	case !given:
		return DefaultLifetime, true
	case len(value) != 4:
		return 0, false
	}
	if seconds = binary.BigEndian.Uint32(value); seconds == 0 {
		return 0, true
	}
	return max(min(seconds, MaxLifetime), DefaultLifetime), true
}

// describe adds what the answer to an Allocate says: RFC 8656 section 7.2.
func (a *allocation) describe(b *wire.Builder) {
	b.AddAddr(wire.AttrXORRelayedAddress, a.path.Load().Relayed())
	b.AddUint32(wire.AttrLifetime, a.lifetime.Load())
	b.AddAddr(wire.AttrXORMappedAddress, a.client.Remote)
}
