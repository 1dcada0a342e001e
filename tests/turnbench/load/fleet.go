package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/ipv4"

	"signalbox/tests/turnbench/wire"
)

// fleet is everything that this process plays: clients and the peer that they share.
type fleet struct {
	set     settings
	mode    wire.Mode
	peer    *net.UDPConn
	clients []*client
	payload []byte // of every packet
	tally   *tally
	readers sync.WaitGroup
}

// close ends all connections and waits for those who read from them.
func (f *fleet) close() {
	for _, c := range f.clients {
		_ = c.conn.Close() // nothing is under way that anybody waits for
	}
	if f.peer != nil {
		_ = f.peer.Close()
	}
	f.readers.Wait()
}

// listen opens a socket for a peer.
func (s settings) listen() (*net.UDPConn, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.relay, 0)))
	if err != nil {
		return nil, err
	}
	return conn, conn.SetReadBuffer(socketBuffer)
}

func port(c *net.UDPConn) netip.AddrPort {
	a := c.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// connect opens one client with an allocation.
func (f *fleet) connect(ctx context.Context, o wire.Order, n int) (*client, error) {
	c, err := f.set.dial(ctx, o, o.Credentials[n%len(o.Credentials)])
	if err != nil {
		return nil, err
	}
	if err := c.allocate(); err != nil {
		return nil, errors.Join(err, c.conn.Close())
	}
	return c, nil
}

// open opens the clients that flows go through.
func (f *fleet) open(ctx context.Context, o wire.Order) (r wire.Report, err error) {
	f.mode, f.payload = o.Mode, pattern(o.Size)
	f.tally = newTally(f.payload)
	if f.peer, err = f.set.listen(); err != nil {
		return r, err
	}
	for n := range o.Count {
		c, err := f.connect(ctx, o, n)
		if err != nil {
			return r, fmt.Errorf("client %d: %w", n, err)
		}
		f.clients = append(f.clients, c)
	}
	for n, c := range f.clients {
		peer := port(f.peer)
		if o.Mode == wire.Pair {
			peer = f.clients[n^1].relayed
		}
		allow := c.bind
		if o.Mode == wire.Indication {
			allow = c.permit
		}
		if err := allow(peer); err != nil {
			return r, fmt.Errorf("client %d: %w", n, err)
		}
	}
	f.listenAll()
	return wire.Report{Done: len(f.clients)}, nil
}

// listenAll counts what comes until close.
func (f *fleet) listenAll() {
	f.readers.Go(func() { f.tally.datagrams(f.peer, func(b []byte) ([]byte, bool) { return b, true }) })
	for _, c := range f.clients {
		f.readers.Go(func() {
			if conn, ok := c.conn.(*net.UDPConn); ok {
				f.tally.datagrams(conn, payload)
			} else {
				f.tally.stream(c)
			}
		})
	}
}

// pattern is a payload in which a byte out of place shows.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// sender sends n packets that follow each other, at most a burst.
type sender func(n int) error

// senders returns those who take turns in a flow.
func (f *fleet) senders(o wire.Order) (all []sender, err error) {
	for n, c := range f.clients {
		switch {
		case o.Way == wire.Down:
			all = append(all, datagrams(f.peer, f.payload, net.UDPAddrFromAddrPort(c.relayed), o.Burst))
		case o.Way == wire.Across && n%2 == 1: // it receives
		default:
			frame := channelData(channel, f.payload)
			if f.mode == wire.Indication {
				frame = add(add(begin(sendIndication), attrPeer, address(port(f.peer))), attrData, f.payload)
			}
			all = append(all, c.sender(frame, o.Burst))
		}
	}
	if len(all) == 0 {
		return nil, errors.New("nothing is open")
	}
	return all, nil
}

func (c *client) sender(frame []byte, burst int) sender {
	if conn, ok := c.conn.(*net.UDPConn); ok {
		return datagrams(conn, frame, nil, burst)
	}
	var all []byte
	for range burst {
		all = append(all, frame...)
	}
	return func(n int) error {
		_, err := c.conn.Write(all[:n*len(frame)])
		return err
	}
}

// datagrams sends the same datagram many times in one system call; to is nil on a connected socket.
func datagrams(conn *net.UDPConn, b []byte, to net.Addr, burst int) sender {
	batch := ipv4.NewPacketConn(conn)
	all := make([]ipv4.Message, burst)
	for i := range all {
		all[i] = ipv4.Message{Buffers: [][]byte{b}, Addr: to}
	}
	return func(n int) error {
		for left := all[:n]; len(left) > 0; {
			sent, err := batch.WriteBatch(left, 0)
			if err != nil {
				return err
			}
			left = left[sent:]
		}
		return nil
	}
}
