package turn

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"signalbox/turn/wire"
)

// askAgain is the time to the next try of a Binding (RFC 8489 section 6.2.1), which a flood of others' datagrams may have dropped.
const askAgain = 500 * time.Millisecond

// Ready is closed when clients are served and, where others control the server, they can connect.
func (a *Alone) Ready() <-chan struct{} { return a.ready }

// Alive returns nil when each socket on which datagrams come in has answered a Binding, which may take until ctx is done. It is nil, too, while the server starts or stops.
func (a *Alone) Alive(ctx context.Context) error {
	if !a.serving() {
		return nil
	}
	for _, at := range a.udp {
		if err := answers(ctx, at); err != nil && a.serving() {
			return fmt.Errorf("no answer to a Binding over UDP at %s: %w", at, err)
		}
	}
	return nil
}

func (a *Alone) serving() bool {
	select {
	case <-a.ready:
	default:
		return false
	}
	select {
	case <-a.stopping:
		return false
	default:
		return true
	}
}

// Status is a line on how the server is.
func (a *Alone) Status(context.Context) string {
	if !a.serving() {
		return "not ready"
	}
	stats := a.server.sessions.Stats()
	return fmt.Sprintf("ready; sessions: %d, allocations: %d", stats.Sessions, stats.Allocations)
}

// answers asks a TURN server on this machine for a Binding until it has answered or ctx is done.
func answers(ctx context.Context, at netip.AddrPort) error {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(reached(at)))
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })() // ends the wait below
	var tid [12]byte
	_, _ = rand.Read(tid[:]) // never fails
	var request wire.Builder
	request.Begin(nil, wire.TypeBindingRequest, tid)
	for {
		err := ask(c, request.Bytes(), tid)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, errNoAnswer):
			return err
		}
	}
}

var errNoAnswer = errors.New("not answered in time")

// ask sends a request once and waits for the answer.
func ask(c *net.UDPConn, request []byte, tid [12]byte) error {
	if err := c.SetReadDeadline(time.Now().Add(askAgain)); err != nil {
		return err
	}
	if _, err := c.Write(request); err != nil {
		return err
	}
	buf := make([]byte, wire.MaxFrame)
	var answer wire.Message
	for {
		n, err := c.Read(buf)
		var late net.Error
		switch {
		case errors.As(err, &late) && late.Timeout():
			return errNoAnswer
		case err != nil:
			return err
		case answer.Parse(buf[:n]) == nil && answer.Type == wire.TypeBindingSuccess && answer.TransactionID == tid:
			return nil
		}
	}
}

// reached is an address at which this machine reaches a socket. One that is bound to all of them takes IPv4 whichever family its own address is of, also where IPv6 is
// switched off, which leaves [::] and takes ::1 away.
func reached(at netip.AddrPort) netip.AddrPort {
	if !at.Addr().IsUnspecified() {
		return at
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
}
