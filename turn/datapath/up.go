package datapath

import (
	"net/netip"

	"signalbox/turn/tally"
	"signalbox/turn/wire"
)

// fromClient takes one datagram or frame of a client; a is its allocation, or nil. It returns what is for Control. The error says that b is no message at all, as after
// the place in a stream was lost.
func (r *round) fromClient(a *Allocation, b []byte) (*wire.Message, error) {
	if len(b) > 0 && wire.KindOf(b[0]) == wire.ChannelData {
		r.channelData(a, b)
		return nil, nil
	}
	if err := r.message.Parse(b); err != nil {
		r.drop(a, tally.Malformed, 1)
		return nil, err
	}
	if r.message.Type == wire.TypeSendIndication {
		r.sendIndication(a)
		return nil, nil
	}
	return &r.message, nil
}

// channelData relays to the peer of a channel (RFC 8656 section 12.6).
func (r *round) channelData(a *Allocation, b []byte) {
	number, payload, ok := wire.ParseChannelData(b)
	switch {
	case !ok:
		r.drop(a, tally.Malformed, 1)
		return
	case a == nil || a.closed.Load():
		r.drop(a, tally.NoAllocation, 1)
		return
	}
	c := a.channel(number, r.now())
	if c == nil {
		r.drop(a, tally.NoChannel, 1)
		return
	}
	r.toPeer(a, &c.verdict, c.peer, payload)
}

// sendIndication relays to the peer that is named (RFC 8656 section 11.2). Attributes that are not known make an indication void (RFC 8489 section 6.3.2).
func (r *round) sendIndication(a *Allocation) {
	m := &r.message
	var unknown [wire.MaxAttributes]uint16
	xor, hasPeer := m.Get(wire.AttrXORPeerAddress)
	payload, hasData := m.Get(wire.AttrData)
	peer, ok := m.Addr(xor)
	switch {
	case !hasPeer || !hasData || !ok || len(m.Unknown(unknown[:0])) > 0 || peer.Port() == 0:
		r.drop(a, tally.Malformed, 1)
		return
	case a == nil || a.closed.Load():
		r.drop(a, tally.NoAllocation, 1)
		return
	case !a.reaches(peer.Addr()):
		r.drop(a, tally.PeerFamily, 1)
		return
	}
	v, _ := a.admits(peer, r.now())
	if v == nil {
		r.drop(a, tally.NoPermission, 1)
		return
	}
	r.toPeer(a, v, peer, payload)
}

// toPeer sends a payload on, to another allocation in memory.
func (r *round) toPeer(a *Allocation, v *verdict, peer netip.AddrPort, payload []byte) {
	switch {
	case len(payload) > MaxPayload:
		r.drop(a, tally.TooLong, 1)
		return
	case !v.allows(a.owner, peer):
		r.refuse(a, peer)
		return
	case !a.owner.Take(len(payload)):
		r.drop(a, a.unlessEnded(tally.RateLimited), 1)
		return
	}
	if r.path.ours(peer.Addr()) {
		if b := r.path.At(peer); b != nil {
			r.countUp(a, 1, len(payload))
			r.fromPeer(b, a.announced, r.copy(payload), len(payload))
			return
		}
	}
	r.queueUp(a, peer, payload)
}
