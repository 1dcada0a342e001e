package datapath

import (
	"net/netip"

	"signalbox/turn/batch"
	"signalbox/turn/tally"
	"signalbox/turn/wire"
)

// round is what came of one batch and waits to be sent together. Each reader has its own; it is not for concurrent use.
type round struct {
	path    *Path
	time    int64 // of the batch; 0: not asked for yet
	message wire.Message
	up      outgoing[*Allocation] // to peers, by relay socket
	down    outgoing[*listener]   // to clients, by listener
	copies  []*[copySize]byte     // payloads that go from one allocation to another
	copied  int
	counts  counts
}

// outgoing is packets by the socket that they leave through, in the order in which they came.
type outgoing[K comparable] struct {
	groups []group[K]
	n      int // groups in use; those behind keep their room
}

type group[K comparable] struct {
	key     K
	packets []batch.Packet
	whose   []recipient // of each packet, for groups of listeners
}

// recipient is the allocation that a packet for a client is of, and how many bytes of it are the peer's.
type recipient struct {
	*Allocation
	bytes int
}

// of returns the group of a key. The newest is the likeliest.
func (o *outgoing[K]) of(key K) *group[K] {
	for i := o.n - 1; i >= 0; i-- {
		if o.groups[i].key == key {
			return &o.groups[i]
		}
	}
	if o.n == len(o.groups) {
		o.groups = append(o.groups, group[K]{})
	}
	g := &o.groups[o.n]
	o.n++
	g.key = key
	return g
}

// clear forgets what was sent, so that nothing is kept alive by it.
func (o *outgoing[K]) clear() {
	var none K
	for i := range o.groups[:o.n] {
		g := &o.groups[i]
		g.key = none
		g.empty()
	}
	o.n = 0
}

func (g *group[K]) empty() {
	clear(g.packets)
	clear(g.whose)
	g.packets, g.whose = g.packets[:0], g.whose[:0]
}

func (r *round) now() int64 {
	if r.time == 0 {
		r.time = r.path.now()
	}
	return r.time
}

// Flush sends all that waits. Buffers of what was received may be used again when it returns.
func (r *round) Flush() {
	for i := range r.up.groups[:r.up.n] {
		r.sendUp(&r.up.groups[i])
	}
	r.up.clear()
	for i := range r.down.groups[:r.down.n] {
		r.sendDown(&r.down.groups[i])
	}
	r.down.clear()
	r.time, r.copied = 0, 0
	r.path.metrics.add(&r.counts)
}

// queueUp puts a packet to a peer aside.
func (r *round) queueUp(a *Allocation, peer netip.AddrPort, payload []byte) {
	g := r.up.of(a)
	if len(g.packets) == batch.Most {
		r.sendUp(g)
	}
	g.packets = append(g.packets, batch.Packet{Data: payload, To: peer})
}

func (r *round) sendUp(g *group[*Allocation]) {
	a := g.key
	failed := a.socket.Send(g.packets)
	bytes := 0
	for i := range g.packets {
		if failed == 0 || !g.packets[i].Failed {
			bytes += len(g.packets[i].Data)
		}
	}
	r.countUp(a, len(g.packets)-failed, bytes)
	if failed > 0 && a.closed.Load() {
		r.drop(a, tally.SessionClosed, failed)
	} else if failed > 0 {
		r.drop(a, tally.SendFailed, failed)
	}
	g.empty()
}

// queueDown puts a frame for a client that is reached by UDP aside. Its payload was n bytes.
func (r *round) queueDown(l *listener, a *Allocation, frame []byte, n int) {
	g := r.down.of(l)
	if len(g.packets) == batch.Most {
		r.sendDown(g)
	}
	g.packets = append(g.packets, batch.Packet{Data: frame, To: a.client.Remote, From: l.source(a.client.Local)})
	g.whose = append(g.whose, recipient{a, n})
}

// sendDown sends frames of many allocations by one listener. Those of allocations that were closed meanwhile stay: Close waits for the lock of the listener.
func (r *round) sendDown(g *group[*listener]) {
	l := g.key
	l.mu.RLock()
	n := 0
	for i, w := range g.whose {
		if w.closed.Load() {
			r.drop(w.Allocation, tally.SessionClosed, 1)
			continue
		}
		g.packets[n], g.whose[n] = g.packets[i], w
		n++
	}
	failed := 0
	if n > 0 {
		failed = l.conn.Send(g.packets[:n])
	}
	l.mu.RUnlock()
	r.countDowns(g.packets[:n], g.whose[:n], failed)
	g.empty()
}

// countDowns counts what was sent, frames that follow each other to the same client at once.
func (r *round) countDowns(packets []batch.Packet, whose []recipient, failed int) {
	for i := 0; i < len(whose); {
		a, n, bytes := whose[i].Allocation, 0, 0
		for ; i < len(whose) && whose[i].Allocation == a; i++ {
			if failed > 0 && packets[i].Failed {
				r.drop(a, tally.SendFailed, 1)
				continue
			}
			n++
			bytes += whose[i].bytes
		}
		r.countDown(a, n, bytes)
	}
}

// copy returns a buffer with a payload at batch.Headroom. It is in use until the round is over.
func (r *round) copy(payload []byte) []byte {
	if r.copied == batch.Most {
		r.Flush()
	}
	if r.copied == len(r.copies) {
		r.copies = append(r.copies, new([copySize]byte))
	}
	b := r.copies[r.copied][:]
	r.copied++
	copy(b[batch.Headroom:], payload)
	return b
}

// copySize has room for what the longest payload can go on in.
const copySize = batch.Headroom + MaxPayload + 4
