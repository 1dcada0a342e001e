package guard

import (
	"encoding/binary"
	"net"
	"sync/atomic"
	"time"

	"signalbox/turn/datapath"
	"signalbox/turn/wire"
)

// allocation is what a client holds or has asked for: one for each 5-tuple at most.
type allocation struct {
	// Set when it is made.
	client  datapath.Client
	user    user
	first   [12]byte     // transaction id of its Allocate
	addr    *net.UDPAddr // under which pion knows it: of no other allocation, before or after
	ask     datapath.Ask // Keep is not set
	pair    bool         // the next port shall be kept
	release func()       // gives its place in the quotas back, once

	waiting atomic.Int32 // its questions in the queue
	asked   atomic.Int64 // account of its questions, see rate

	// Set on pion's goroutine while it is made.
	path     atomic.Pointer[datapath.Allocation] // nil: pion has not opened it yet
	lifetime atomic.Uint32                       // seconds, as the Allocate was answered; 0: it was not yet
	expiry   *time.Timer                         // ends it when its time is over

	ended atomic.Bool // it was not made, its client is gone, or its time over
}

// held returns what a client holds or has asked for; nil: nothing that is not over.
func (g *Guard) held(client datapath.Client) *allocation {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.allocations[client]; a != nil && !a.over() {
		return a
	}
	return nil
}

// open opens the relay socket.
func (g *Guard) open(a *allocation) (*datapath.Allocation, error) {
	ask := a.ask
	if a.pair {
		ask.Keep = g.now().Add(reservationLife)
	}
	p, err := g.path.Allocate(a.client, a.user.side, ask)
	if err != nil {
		return nil, err
	}
	a.expiry = time.AfterFunc(time.Hour, a.end) // until pion has agreed
	a.path.Store(p)
	if a.ended.Load() { // its client went meanwhile, and found nothing to close
		p.Close()
	}
	return p, nil
}

// over tells whether the allocation carries nothing any more, though pion may not have noticed yet.
func (a *allocation) over() bool {
	if a.ended.Load() {
		return true
	}
	p := a.path.Load()
	if p == nil {
		return false
	}
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// ipv6 tells the family of the relayed address, which there must be.
func (a *allocation) ipv6() bool { return a.path.Load().Relayed().Addr().Is6() }

// family is the relayed address's, as attributes have it.
func (a *allocation) family() byte {
	if a.ipv6() {
		return wire.FamilyIPv6
	}
	return wire.FamilyIPv4
}

// live tells whether the client has been told of it.
func (a *allocation) live() bool { return a.lifetime.Load() != 0 }

// end closes the allocation's relay socket, whereupon pion is asked to forget it. What has none yet gets none.
func (a *allocation) end() {
	a.ended.Store(true)
	if p := a.path.Load(); p != nil {
		p.Close()
	}
}

// enter gives an allocation its number and its place. One that is over makes way.
func (g *Guard) enter(a *allocation) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last++
	a.addr = synthetic(g.last)
	g.allocations[a.client] = a
	g.metrics.allocations.Set(float64(len(g.allocations)))
}

// forget takes an allocation out of the table and gives its place in the quotas back.
func (g *Guard) forget(a *allocation) {
	a.ended.Store(true)
	g.mu.Lock()
	if g.allocations[a.client] == a {
		delete(g.allocations, a.client)
	}
	g.metrics.allocations.Set(float64(len(g.allocations)))
	g.mu.Unlock()
	a.release()
}

// synthetic returns the address under which pion knows an allocation: a unique local one (RFC 4193), which no packet ever has.
func synthetic(number uint64) *net.UDPAddr {
	ip := make(net.IP, net.IPv6len)
	ip[0] = 0xFD
	binary.BigEndian.PutUint64(ip[8:], number)
	return &net.UDPAddr{IP: ip, Port: 1}
}
