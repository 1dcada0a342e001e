package datapath

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"

	"signalbox/turn/batch"
	"signalbox/turn/tally"
)

// listener is one UDP socket that clients send to.
type listener struct {
	conn batch.Conn
	mu   sync.RWMutex // held for reading while frames of allocations are sent
}

// wait returns when all that was being sent has been.
func (l *listener) wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
}

func (l *listener) answer(c Client, b []byte) {
	l.conn.Send([]batch.Packet{{Data: b, To: c.Remote, From: l.source(c.Local)}})
}

// source is the address to answer from: what the client wrote to, where that is not the socket's only one.
func (l *listener) source(local netip.AddrPort) netip.Addr {
	if a := local.Addr(); l.conn.Local().Addr().IsUnspecified() && !a.IsUnspecified() {
		return a
	}
	return netip.Addr{}
}

// ServeUDP relays for the clients of one socket until ctx is done, which closes the socket. One bound to a wildcard address answers from the address that a client wrote
// to, which is its Client.Local; see batch.NewConn for portable sockets. The error is that of a broken socket.
func (p *Path) ServeUDP(ctx context.Context, c *net.UDPConn) error {
	conn, err := batch.NewConn(c, p.cfg.Portable)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	l := &listener{conn: conn}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	return conn.Serve(l, &clientReader{round: round{path: p}})
}

// clientReader takes what a listener receives; the tag is the listener.
type clientReader struct {
	round
	last       tuple // whose packet was the newest, as packets come in bursts
	allocation *Allocation
}

func (r *clientReader) Handle(tag any, d *batch.Datagram) {
	l := tag.(*listener)
	local := l.conn.Local()
	if d.To.IsValid() {
		local = netip.AddrPortFrom(d.To, local.Port())
	}
	if from := (tuple{UDP, local, d.From}); from != r.last || r.allocation == nil || r.allocation.closed.Load() {
		r.last, r.allocation = from, r.path.find(from)
	}
	if d.Long {
		r.drop(r.allocation, tally.TooLong, 1)
		return
	}
	if m, _ := r.fromClient(r.allocation, d.Payload()); m != nil {
		r.Flush()
		r.path.control.Request(Client{Transport: UDP, Local: local, Remote: d.From, way: l}, m)
	}
}
