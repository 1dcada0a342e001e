package guard

import (
	"encoding/binary"

	"signalbox/turn/datapath"
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
	if token, ok := m.Get(wire.AttrReservationToken); ok {
		return a.readToken(m, token)
	}
	return a.readAsk(m)
}

// readToken takes a RESERVATION-TOKEN, which says all that can be wished: RFC 8656 section 7.2, step 5. Whether a port is kept under it is seen when the relay socket is opened.
func (a *allocation) readToken(m *wire.Message, token []byte) int {
	for _, other := range []uint16{wire.AttrEvenPort, wire.AttrRequestedAddressFamily, wire.AttrAdditionalFamily} {
		if _, ok := m.Get(other); ok {
			return wire.CodeBadRequest
		}
	}
	if len(token) != len(datapath.Token{}) {
		return wire.CodeBadRequest
	}
	t := datapath.Token(token)
	a.ask.Token = &t
	return 0
}

// reserveNext is the bit R of EVEN-PORT: RFC 8656 section 18.7.
const reserveNext = 0x80

// readAsk takes REQUESTED-ADDRESS-FAMILY and EVEN-PORT: RFC 8656 section 7.2, steps 7 and 8. ADDITIONAL-ADDRESS-FAMILY is not answered, as there is one relayed address for
// each allocation; beside a second port it is refused.
func (a *allocation) readAsk(m *wire.Message) int {
	family, hasFamily := m.Get(wire.AttrRequestedAddressFamily)
	even, hasEven := m.Get(wire.AttrEvenPort)
	_, hasMore := m.Get(wire.AttrAdditionalFamily)
	if hasEven && len(even) != 1 || hasFamily && len(family) != 4 {
		return wire.CodeBadRequest
	}
	if hasFamily && family[0] != wire.FamilyIPv4 && family[0] != wire.FamilyIPv6 {
		return wire.CodeFamilyNotSupported
	}
	a.ask = datapath.Ask{IPv6: hasFamily && family[0] == wire.FamilyIPv6, Even: hasEven}
	if a.pair = hasEven && even[0]&reserveNext != 0; a.pair && hasMore {
		return wire.CodeBadRequest
	}
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
	p := a.path.Load()
	b.AddAddr(wire.AttrXORRelayedAddress, p.Relayed())
	b.AddUint32(wire.AttrLifetime, a.lifetime.Load())
	b.AddAddr(wire.AttrXORMappedAddress, a.client.Remote)
	if token, ok := p.Reserved(); ok {
		b.Add(wire.AttrReservationToken, token[:])
	}
}
