package datapath

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"signalbox/turn/batch"
	"signalbox/turn/tally"
	"signalbox/turn/wire"
)

// peerReader takes what relay sockets receive; the tag is the allocation.
type peerReader struct{ round }

func (r *peerReader) Handle(tag any, d *batch.Datagram) {
	a := tag.(*Allocation)
	if d.Long {
		r.drop(a, tally.TooLong, 1)
		return
	}
	r.fromPeer(a, d.From, d.Room(), len(d.Payload()))
}

// fromPeer sends a peer's payload of n bytes, at batch.Headroom in room, to the client: by its channel, else as a Data indication (RFC 8656 sections 11.3 and 12.7).
func (r *round) fromPeer(a *Allocation, peer netip.AddrPort, room []byte, n int) {
	v, c := a.admits(peer, r.now())
	switch {
	case a.closed.Load():
		r.drop(a, tally.SessionClosed, 1)
	case n > MaxPayload:
		r.drop(a, tally.TooLong, 1)
	case v == nil:
		r.drop(a, tally.NoPermission, 1)
	case !v.allows(a.owner, peer):
		r.refuse(a, peer)
	case !a.owner.Take(n):
		r.drop(a, a.unlessEnded(tally.RateLimited), 1)
	case c != nil:
		r.toClient(a, channelFrame(room, c.number, n), n)
	default:
		r.toClient(a, dataFrame(room, peer, n), n)
	}
}

// toClient sends a frame by the client's way. A stream's frame is padded, which datagrams need not be (RFC 8656 section 12.5).
func (r *round) toClient(a *Allocation, frame []byte, n int) {
	switch w := a.client.way.(type) {
	case *listener:
		r.queueDown(w, a, frame, n)
	case *stream:
		switch {
		case w.push(frame, a):
			r.countDown(a, 1, n)
		case a.closed.Load():
			r.drop(a, tally.SessionClosed, 1)
		default:
			r.drop(a, tally.SlowClient, 1)
		}
	}
}

// channelFrame writes the header before a payload and returns both.
func channelFrame(room []byte, number uint16, n int) []byte {
	const header = 4
	frame := room[batch.Headroom-header:][:header+n]
	wire.AppendChannelHeader(frame[:0], number, n)
	return frame
}

// dataFrame makes a Data indication around a payload, which stays where it is.
func dataFrame(room []byte, peer netip.AddrPort, n int) []byte {
	head := 20 + 4 + 8 + 4 // the message's header, XOR-PEER-ADDRESS, the header of DATA
	if peer.Addr().Is6() {
		head += 12
	}
	var tid [12]byte
	binary.NativeEndian.PutUint64(tid[:], rand.Uint64())
	binary.NativeEndian.PutUint32(tid[8:], rand.Uint32())
	var w wire.Builder
	w.Begin(room[batch.Headroom-head:batch.Headroom-head], wire.TypeDataIndication, tid)
	w.AddAddr(wire.AttrXORPeerAddress, peer)
	w.Add(wire.AttrData, room[batch.Headroom:][:n])
	return w.Bytes()
}
