package datapath

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/turn/batch"
)

// Ask is what a client may wish of a relayed address; the zero value is any IPv4 address.
type Ask struct {
	IPv6 bool
	Even bool // an even port, RFC 8656 section 18.5
}

// Allocation is a relay socket and the client that it serves. Its methods may be called concurrently, also from Control and Owner.
type Allocation struct {
	path             *Path
	client           Client
	owner            Owner
	bound, announced netip.AddrPort
	socket           batch.Socket
	done             chan struct{}
	closing          sync.Once

	closed      atomic.Bool
	permissions atomic.Pointer[[]*permission]
	channels    atomic.Pointer[[]*channel]
	mu          sync.Mutex // held by those who change what the two lists are or what they hold
}

// Allocate opens a relay socket for a client. Errors are ErrFamily, ErrNoPort, ErrExists, ErrClosed, and those of the system.
func (p *Path) Allocate(c Client, o Owner, ask Ask) (*Allocation, error) {
	r := p.relays[familyIndex(ask.IPv6)]
	if r == nil {
		return nil, ErrFamily
	}
	a := &Allocation{path: p, client: c, owner: o, done: make(chan struct{})}
	err := r.ports.take(ask.Even, func(port uint16) (err error) {
		a.bound, a.announced = netip.AddrPortFrom(r.Bind, port), netip.AddrPortFrom(r.Announced, port)
		a.socket, err = p.groups[int(port)%len(p.groups)].Open(a.bound, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := p.register(a); err != nil {
		a.socket.Close()
		r.ports.give(a.bound.Port())
		return nil, err
	}
	if s, ok := c.way.(*stream); ok {
		if s.ended.Load() { // before it could see the allocation
			a.Close()
			return nil, ErrClosed
		}
		s.settle()
	}
	return a, nil
}

func (p *Path) register(a *Allocation) error {
	t := a.client.tuple()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.stopped:
		return ErrClosed
	case p.clients[t] != nil:
		return ErrExists
	}
	p.clients[t] = a
	p.relayed[a.bound], p.relayed[a.announced] = a, a
	p.metrics.allocations.Inc()
	return nil
}

// Relayed returns the address that peers see, as it is announced.
func (a *Allocation) Relayed() netip.AddrPort { return a.announced }

// Client returns whom the allocation serves.
func (a *Allocation) Client() Client { return a.client }

// Owner returns what Allocate was given.
func (a *Allocation) Owner() Owner { return a.owner }

// Done is closed when the allocation is.
func (a *Allocation) Done() <-chan struct{} { return a.done }

// Close frees the allocation. It is idempotent, and when it returns, nothing of the allocation is sent to a peer or to the client any more, but for one write to a stream,
// of at most pieceSize bytes, that has begun.
func (a *Allocation) Close() {
	a.closing.Do(func() {
		a.mu.Lock()
		a.closed.Store(true)
		a.mu.Unlock()
		a.path.unregister(a)
		a.socket.Close()
		a.path.relays[familyIndex(a.bound.Addr().Is6())].ports.give(a.bound.Port())
		switch w := a.client.way.(type) {
		case *listener:
			w.wait()
		case *stream:
			w.forget()
			w.settle()
		}
		close(a.done)
	})
}

func (p *Path) unregister(a *Allocation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.clients, a.client.tuple())
	delete(p.relayed, a.bound)
	delete(p.relayed, a.announced)
	p.metrics.allocations.Dec()
}

// PacketConn returns the relay socket as a net.PacketConn for a state machine of allocations that wants one to hold: its ReadFrom blocks until the allocation is
// closed, its Close closes the allocation, and nothing can be written to it.
func (a *Allocation) PacketConn() net.PacketConn { return packetConn{a} }

type packetConn struct{ a *Allocation }

func (c packetConn) ReadFrom([]byte) (int, net.Addr, error) {
	<-c.a.done
	return 0, nil, net.ErrClosed
}

func (c packetConn) WriteTo([]byte, net.Addr) (int, error) { return 0, errors.ErrUnsupported }

func (c packetConn) Close() error {
	c.a.Close()
	return nil
}

func (c packetConn) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(c.a.announced) }
func (c packetConn) SetDeadline(time.Time) error      { return nil }
func (c packetConn) SetReadDeadline(time.Time) error  { return nil }
func (c packetConn) SetWriteDeadline(time.Time) error { return nil }
