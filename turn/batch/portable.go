package batch

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// portableConn is a socket of either kind with one packet per call of the net package.
type portableConn struct {
	conn  *net.UDPConn
	local netip.AddrPort
}

func (c *portableConn) Local() netip.AddrPort { return c.local }

func (c *portableConn) Close() error {
	if err := c.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (c *portableConn) Serve(tag any, h Handler) error {
	d := Datagram{room: new([roomSize]byte)}
	for errs := 0; ; {
		n, from, err := c.conn.ReadFromUDPAddrPort(d.room[Headroom:][:MaxDatagram+1])
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil && n == 0:
			if errs++; errs == mostErrors {
				return err
			}
			continue
		}
		errs = 0
		d.From, d.n = plain(from), min(n, MaxDatagram)
		d.Long = n > MaxDatagram || err != nil // some systems call that an error
		h.Handle(tag, &d)
		h.Flush()
	}
}

// plain returns an address without what distinguishes equal ones.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

func (c *portableConn) Send(out []Packet) (failed int) {
	for i := range out {
		if _, err := c.conn.WriteToUDPAddrPort(out[i].Data, out[i].To); err != nil {
			failed += fail(out[i : i+1])
		}
	}
	return failed
}

// portableGroup is a goroutine per socket. Open starts it, the socket's Close ends it, Run waits for all.
type portableGroup struct {
	handler func() Handler

	mu      sync.Mutex
	stopped bool
	open    map[*portableSocket]struct{}
	loops   sync.WaitGroup
}

func (g *portableGroup) Open(local netip.AddrPort, tag any) (Socket, error) {
	conn, err := net.ListenUDP(network(local.Addr()), net.UDPAddrFromAddrPort(local))
	if err != nil {
		return nil, err
	}
	s := &portableSocket{group: g, portableConn: portableConn{conn: conn, local: local}}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	if g.open == nil {
		g.open = map[*portableSocket]struct{}{}
	}
	g.open[s] = struct{}{}
	g.loops.Go(func() { _ = s.Serve(tag, g.handler()) })
	return s, nil
}

func network(a netip.Addr) string {
	if a.Is4() {
		return "udp4"
	}
	return "udp6"
}

func (g *portableGroup) Run(stop <-chan struct{}) error {
	<-stop
	g.mu.Lock()
	g.stopped = true
	for s := range g.open {
		_ = s.conn.Close()
	}
	g.mu.Unlock()
	g.loops.Wait()
	return nil
}

// portableSocket is one of a portableGroup's.
type portableSocket struct {
	portableConn
	group *portableGroup
}

func (s *portableSocket) Close() {
	s.group.mu.Lock()
	delete(s.group.open, s)
	s.group.mu.Unlock()
	_ = s.conn.Close()
}
