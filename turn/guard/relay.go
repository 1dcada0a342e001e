package guard

import (
	"errors"
	"fmt"
	"net"
	"time"

	"signalbox/turn/datapath"
	"signalbox/turn/wire"
)

// relays opens relay sockets for pion: its RelayAddressGenerator.
type relays struct{ guard *Guard }

// errTCP says that there are no TCP allocations (RFC 6062).
var errTCP = errors.New("no TCP allocations")

// Validate has nothing to find.
func (r relays) Validate() error { return nil }

// AllocateConn is not called by pion v2.
func (r relays) AllocateConn(string, int) (net.Conn, net.Addr, error) { return nil, nil, errTCP }

// AllocatePacketConn opens the relay socket of the allocation that pion makes: it calls this while it answers a question, on the goroutine of its read loop.
func (r relays) AllocatePacketConn(string, int) (net.PacketConn, net.Addr, error) {
	g, q := r.guard, r.guard.pion.current
	if q == nil || q.method != allocate {
		return nil, nil, errors.New("pion opens a socket that nobody asked for")
	}
	p, err := g.open(q.allocation)
	if err != nil {
		q.code = openCode(err)
		return nil, nil, fmt.Errorf("open a relay socket: %w", err)
	}
	g.pion.views.Add(1)
	return &view{guard: g, allocation: q.allocation, path: p, closed: make(chan struct{})}, net.UDPAddrFromAddrPort(p.Relayed()), nil
}

// openCode returns the error code for a relay socket that could not be opened.
func openCode(err error) int {
	switch {
	case errors.Is(err, datapath.ErrFamily):
		return wire.CodeFamilyNotSupported
	case errors.Is(err, datapath.ErrExists):
		return wire.CodeAllocationMismatch
	}
	return wire.CodeInsufficientCapacity
}

// view is what pion has of a relay socket. It carries no packets.
//
// pion must forget an allocation on the goroutine of its read loop and nowhere else: closing one while that adds a permission finds a permission without a timer, and a
// nil dereference ends the process. So nothing is closed behind pion's back. Who ends an allocation closes the relay socket, whereupon the goroutine that pion reads the view with
// asks pion, as a client would, to end it.
type view struct {
	guard      *Guard
	allocation *allocation
	path       *datapath.Allocation
	closed     chan struct{} // by pion
}

// ReadFrom returns when pion has closed the view.
func (v *view) ReadFrom([]byte) (int, net.Addr, error) {
	<-v.path.Done()
	select {
	case <-v.closed:
	default:
		v.guard.pion.end(v.allocation)
		<-v.closed
	}
	return 0, nil, net.ErrClosed
}

// WriteTo is not called, as pion gets no data.
func (v *view) WriteTo([]byte, net.Addr) (int, error) { return 0, net.ErrClosed }

// Close closes the relay socket. pion does so once, when it forgets the allocation.
func (v *view) Close() error {
	close(v.closed)
	v.path.Close()
	v.allocation.expiry.Stop()
	v.allocation.user.side.Detach(v.path)
	v.guard.forget(v.allocation)
	v.guard.pion.views.Done()
	return nil
}

// LocalAddr returns the relayed address.
func (v *view) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(v.path.Relayed()) }

// SetDeadline is not used by pion.
func (v *view) SetDeadline(time.Time) error { return errNoDeadline }

// SetReadDeadline is not used by pion.
func (v *view) SetReadDeadline(time.Time) error { return errNoDeadline }

// SetWriteDeadline is not used by pion.
func (v *view) SetWriteDeadline(time.Time) error { return errNoDeadline }
