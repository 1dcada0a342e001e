package guard

import (
	"encoding/binary"
	"net/netip"

	"signalbox/turn/policy"
	"signalbox/turn/session"
	"signalbox/turn/wire"
)

// maxPeers bounds the peers of one CreatePermission: an allocation has no more permissions.
const maxPeers = 16

// refresh handles a Refresh: RFC 8656 section 8.2.
func (g *Guard) refresh(x *exchange, a *allocation) {
	lifetime, ok := lifetimeOf(x.m)
	family, hasFamily := x.m.Get(wire.AttrRequestedAddressFamily)
	switch {
	case !ok || hasFamily && len(family) != 4:
		g.refuse(&x.origin, wire.CodeBadRequest)
	case hasFamily && family[0] != a.family():
		g.refuse(&x.origin, wire.CodePeerFamilyMismatch)
	default:
		g.pion.put(&question{origin: x.kept(), allocation: a, lifetime: lifetime})
	}
}

// permission handles a CreatePermission: RFC 8656 section 10.2. Either all of its peers get one, or none.
func (g *Guard) permission(x *exchange, a *allocation) {
	q := &question{origin: x.kept(), allocation: a}
	for value := range x.m.All(wire.AttrXORPeerAddress) {
		peer, code := g.peer(x, a, value, permittedAddr)
		if code != 0 {
			g.refuse(&x.origin, code)
			return
		}
		q.peers = append(q.peers, peer)
	}
	switch n := len(q.peers); {
	case n == 0:
		g.refuse(&x.origin, wire.CodeBadRequest)
	case n > maxPeers:
		g.refuse(&x.origin, wire.CodeInsufficientCapacity)
	default:
		g.pion.put(q)
	}
}

// channel handles a ChannelBind: RFC 8656 section 12.2.
func (g *Guard) channel(x *exchange, a *allocation) {
	number, hasNumber := x.m.Get(wire.AttrChannelNumber)
	value, hasPeer := x.m.Get(wire.AttrXORPeerAddress)
	if !hasNumber || !hasPeer || len(number) != 4 {
		g.refuse(&x.origin, wire.CodeBadRequest)
		return
	}
	n := binary.BigEndian.Uint16(number)
	if n < wire.MinChannel || n > wire.MaxChannel {
		g.refuse(&x.origin, wire.CodeBadRequest)
		return
	}
	peer, code := g.peer(x, a, value, (*session.Side).PermitsChannel)
	if code != 0 {
		g.refuse(&x.origin, code)
		return
	}
	g.pion.put(&question{origin: x.kept(), allocation: a, peers: []netip.AddrPort{peer}, channel: n})
}

// permittedAddr leaves the port out, which a permission does not have: RFC 8656 section 9.
func permittedAddr(s *session.Side, peer netip.AddrPort) policy.Reason { return s.Permits(peer.Addr()) }

// peer reads one XOR-PEER-ADDRESS and asks whether this side may have it as a peer; an error code if not.
func (g *Guard) peer(x *exchange, a *allocation, value []byte, refusal func(*session.Side, netip.AddrPort) policy.Reason) (netip.AddrPort, int) {
	peer, ok := x.m.Addr(value)
	if !ok {
		return netip.AddrPort{}, wire.CodeBadRequest
	}
	if peer.Addr().Is4() == a.ipv6() || peer.Addr().Is4In6() { // an IPv4 address in IPv6 spelling is of no relay's family
		return netip.AddrPort{}, wire.CodePeerFamilyMismatch
	}
	if why := refusal(a.user.side, peer); why != policy.OK {
		g.metrics.refusedPeers.WithLabelValues(string(why)).Inc()
		g.debug("peer refused", x, string(why))
		return netip.AddrPort{}, wire.CodeForbidden
	}
	return peer, 0
}

// kept returns the origin with a key of its own, as what pion is asked outlives the exchange.
func (x *exchange) kept() origin {
	o := x.origin
	o.key = append([]byte(nil), x.key...)
	return o
}
