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
	IPv6  bool
	Even  bool      // an even port: RFC 8656 section 18.7
	Keep  time.Time // an even port, and until then the next one is kept for the owner's session, under a token; zero: nothing is kept
	Token *Token    // the port that is kept under it, of whichever family, and nothing else of Ask counts; nil: none
}

// Allocation is a relay socket and the client that it serves. Its methods may be called concurrently, also from Control and Owner.
type Allocation struct {
	path             *Path
	client           Client
	owner            Owner
	bound, announced netip.AddrPort
	socket           batch.Socket
	reserved         *Token // of the next port, when it was opened; nil: none
	done             chan struct{}
	closing          sync.Once

	closed      atomic.Bool
	permissions atomic.Pointer[[]*permission]
	channels    atomic.Pointer[[]*channel]
	mu          sync.Mutex // held by those who change what the two lists are or what they hold
}

// Allocate opens a relay socket for a client. Errors are ErrFamily, ErrNoPort, ErrKept, ErrToken, ErrExists, ErrClosed, and those of the system. A token is used up by an
// error other than ErrToken as well.
func (p *Path) Allocate(c Client, o Owner, ask Ask) (*Allocation, error) {
	a := &Allocation{path: p, client: c, owner: o, done: make(chan struct{})}
	if err := a.open(ask); err != nil {
		return nil, err
	}
	if err := p.register(a); err != nil {
		a.socket.Close()
		a.ports().give(a.bound.Port())
		a.forgo()
		return nil, err
	}
	if s, ok := c.way.(*stream); ok {
		if s.ended.Load() { // before it could see the allocation
			a.Close()
			a.forgo()
			return nil, ErrClosed
		}
		s.settle()
	}
	return a, nil
}

// open finds a port and opens the socket.
func (a *Allocation) open(ask Ask) error {
	if ask.Token != nil {
		return a.claim(*ask.Token)
	}
	r := a.path.relays[familyIndex(ask.IPv6)]
	if r == nil {
		return ErrFamily
	}
	if ask.Keep.IsZero() {
		return r.ports.take(ask.Even, a.opener(r))
	}
	t, err := r.ports.takePair(a.owner, ask.Keep, a.opener(r))
	if err == nil {
		a.reserved = &t
	}
	return err
}

// claim opens the socket on the port that is kept under a token.
func (a *Allocation) claim(t Token) error {
	for _, r := range a.path.relays {
		if r == nil {
			continue
		}
		if err := r.ports.claim(t, a.owner, a.opener(r)); !errors.Is(err, ErrToken) {
			return err
		}
	}
	return ErrToken
}

// opener opens the socket on a port of a family's relay address.
func (a *Allocation) opener(r *relay) func(port uint16) error {
	return func(port uint16) (err error) {
		a.bound, a.announced = netip.AddrPortFrom(r.Bind, port), netip.AddrPortFrom(r.Announced, port)
		a.socket, err = a.path.groups[int(port)%len(a.path.groups)].Open(a.bound, a)
		return err
	}
}

// ports are those of the allocation's family.
func (a *Allocation) ports() *ports { return a.path.relays[familyIndex(a.bound.Addr().Is6())].ports }

// forgo frees the port that is kept beside an allocation of which nobody was told.
func (a *Allocation) forgo() {
	if a.reserved != nil {
		a.ports().forgo(*a.reserved)
	}
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

// Reserved returns the token of the port that was kept when the allocation was made, also when it is kept no more; false: Ask wanted none. The end of the allocation does
// not end the reservation.
func (a *Allocation) Reserved() (t Token, ok bool) {
	if a.reserved == nil {
		return Token{}, false
	}
	return *a.reserved, true
}

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
		a.ports().give(a.bound.Port())
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
