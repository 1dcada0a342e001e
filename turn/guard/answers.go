package guard

import (
	"errors"
	"net/netip"
	"time"

	"signalbox/turn/datapath"
	"signalbox/turn/wire"
)

// What follows runs on the goroutine of pion's read loop.

// prepare has the data path go along with a question before pion is asked: it alone knows how much room there is, and what pion keeps is no more than that. False:
// the question is answered.
func (g *Guard) prepare(q *question) bool {
	if q.end {
		return true
	}
	if q.allocation.over() {
		g.unanswered(q)
		return false
	}
	if err := g.install(q); err != nil {
		g.refuse(&q.origin, installCode(err))
		return false
	}
	return true
}

// install opens permissions and channels. A channel brings the permission for its peer's address: RFC 8656 section 12.2. What finds no room opens nothing.
func (g *Guard) install(q *question) error {
	p, now := q.allocation.path.Load(), g.now()
	switch q.method {
	case channel:
		if err := p.Permit(now.Add(permissionLife), q.peers[0].Addr()); err != nil {
			return err
		}
		return p.Bind(q.channel, q.peers[0], now.Add(channelLife))
	case permission:
		peers := make([]netip.Addr, len(q.peers))
		for i, peer := range q.peers {
			peers[i] = peer.Addr()
		}
		return p.Permit(now.Add(permissionLife), peers...)
	}
	return nil
}

// installCode returns the error code for what the data path refused: RFC 8656 sections 10.2 and 12.2.
func installCode(err error) int {
	switch {
	case errors.Is(err, datapath.ErrTooMany):
		return wire.CodeInsufficientCapacity
	case errors.Is(err, datapath.ErrClosed):
		return wire.CodeAllocationMismatch
	}
	return wire.CodeBadRequest // number or peer have a channel already, but not with each other; or the peer's port is 0
}

// unanswered refuses a question that pion says nothing to: the allocation is no more.
func (g *Guard) unanswered(q *question) {
	switch {
	case q.end:
	case q.method == allocate:
		g.forget(q.allocation)
		g.refuse(&q.origin, wire.CodeInsufficientCapacity)
	default:
		g.refuse(&q.origin, wire.CodeAllocationMismatch)
	}
}

// answered hands pion's answer to the client, in our words and with the client's key. code is that of an error; 0: none.
func (g *Guard) answered(q *question, code int) {
	switch {
	case q.end:
	case code != 0:
		g.declined(q, code)
	default:
		g.granted(q)
	}
}

func (g *Guard) declined(q *question, code int) {
	if q.code != 0 {
		code = q.code
	}
	if q.method == allocate {
		g.forget(q.allocation)
	}
	g.refuse(&q.origin, code)
}

func (g *Guard) granted(q *question) {
	a := q.allocation
	switch q.method {
	case allocate:
		a.user.side.Attach(a.path.Load()) // from here on the end of the session closes it, which may have been before
		if a.over() {
			g.refuse(&q.origin, wire.CodeAllocationMismatch)
			return
		}
		a.lifetime.Store(q.lifetime)
		a.expiry.Reset(seconds(q.lifetime))
		g.succeed(&q.origin, a.describe) // made again for a repeated request
	case refresh:
		if q.lifetime != 0 {
			a.expiry.Reset(seconds(q.lifetime))
		}
		g.succeedOnce(&q.origin, func(b *wire.Builder) { b.AddUint32(wire.AttrLifetime, q.lifetime) })
	default:
		g.succeedOnce(&q.origin, func(*wire.Builder) {})
	}
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }
