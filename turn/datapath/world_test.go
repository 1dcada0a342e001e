package datapath

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/turn/tally"
	"signalbox/turn/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second // of everything that waits: longer than anything takes

// owner allows everything until it is told otherwise.
type owner struct {
	refused    atomic.Pointer[netip.AddrPort]
	asked      atomic.Int64
	generation atomic.Uint64
	empty      atomic.Bool // the rate is used up
	ended      atomic.Bool
	counters   tally.Counters
}

func (o *owner) Allows(peer netip.AddrPort) bool {
	o.asked.Add(1)
	r := o.refused.Load()
	return r == nil || *r != peer
}

func (o *owner) refuse(peer netip.AddrPort) {
	o.refused.Store(&peer)
	o.generation.Add(1)
}

func (o *owner) Generation() uint64        { return o.generation.Load() }
func (o *owner) Take(int) bool             { return !o.empty.Load() }
func (o *owner) Ended() bool               { return o.ended.Load() }
func (o *owner) Counters() *tally.Counters { return &o.counters }

// control keeps what it is called with.
type control struct {
	requests chan Client // of Binding requests
	gone     chan Client
}

func (c *control) Request(from Client, m *wire.Message) {
	if m.Type == wire.TypeBindingRequest {
		c.requests <- from
	}
}

func (c *control) Gone(from Client) { c.gone <- from }

// world is a running path with listeners.
type world struct {
	*Path
	t       testing.TB
	ip      netip.Addr
	control *control
	udp     netip.AddrPort
	tcp     net.Listener
	ctx     context.Context
}

// newWorld runs a path whose clients, peers and relay sockets are at one loopback address; announced, if valid, is what clients are told.
func newWorld(t testing.TB, ip string, portable bool, announced string) *world {
	t.Helper()
	w := &world{t: t, ip: netip.MustParseAddr(ip), control: &control{requests: make(chan Client, 100), gone: make(chan Client, 100)}}
	relay := RelayAddr{Bind: w.ip}
	if announced != "" {
		relay.Announced = netip.MustParseAddr(announced)
	}
	p, err := New(Config{Relay: []RelayAddr{relay}, MinPort: 20000, MaxPort: 30000, Portable: portable}, zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	w.Path = p
	p.SetControl(w.control)
	w.listen()
	return w
}

// listen starts the path, a UDP and a TCP listener; all ends with the test.
func (w *world) listen() {
	ctx, cancel := context.WithCancel(context.Background())
	w.ctx = ctx
	u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(w.ip, 0)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.udp = u.LocalAddr().(*net.UDPAddr).AddrPort()
	if w.tcp, err = net.Listen("tcp", netip.AddrPortFrom(w.ip, 0).String()); err != nil {
		w.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { w.check(w.Run(ctx)) })
	wg.Go(func() { w.check(w.ServeUDP(ctx, u)) })
	wg.Go(func() {
		for {
			c, err := w.tcp.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.ServeStream(ctx, c, TCP, addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())) })
		}
	})
	w.t.Cleanup(func() {
		cancel()
		_ = w.tcp.Close()
		wg.Wait()
	})
}

func (w *world) check(err error) {
	if err != nil {
		w.t.Error(err)
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort()
	case *net.UDPAddr:
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// client is one that the path knows, over either transport.
type client struct {
	net.Conn
	w  *world
	at Client
}

// client connects and makes itself known by a Binding request.
func (w *world) client(transport Transport) *client {
	w.t.Helper()
	network, to := "udp", w.udp.String()
	if transport == TCP {
		network, to = "tcp", w.tcp.Addr().String()
	}
	conn, err := net.Dial(network, to)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	w.check(conn.SetDeadline(time.Now().Add(patience)))
	c := &client{Conn: conn, w: w}
	c.send(message(wire.TypeBindingRequest, nil))
	select {
	case c.at = <-w.control.requests:
	case <-time.After(patience):
		w.t.Fatal("the request did not reach Control")
	}
	return c
}

func (c *client) send(b []byte) {
	c.w.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.w.t.Fatal(err)
	}
}

// receive returns one frame or datagram.
func (c *client) receive() []byte {
	c.w.t.Helper()
	b := make([]byte, 2048)
	if c.at.Transport == UDP {
		n, err := c.Read(b)
		if err != nil {
			c.w.t.Fatal(err)
		}
		return b[:n]
	}
	if _, err := io.ReadFull(c, b[:4]); err != nil {
		c.w.t.Fatal(err)
	}
	n, err := wire.FrameLength([4]byte(b))
	if err == nil {
		_, err = io.ReadFull(c, b[4:n])
	}
	if err != nil {
		c.w.t.Fatal(err)
	}
	return b[:n]
}

// padded is a frame as the client's transport has it.
func (c *client) padded(b []byte) []byte {
	if c.at.Transport == UDP {
		return b
	}
	return append(b, make([]byte, wire.Padding(len(b)))...)
}

// allocate gives the client an allocation of an owner.
func (c *client) allocate(o Owner) *Allocation {
	c.w.t.Helper()
	a, err := c.w.Allocate(c.at, o, Ask{IPv6: c.w.ip.Is6()})
	if err != nil {
		c.w.t.Fatal(err)
	}
	return a
}

// peer opens a socket at the world's address.
func (w *world) peer() *net.UDPConn {
	w.t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(w.ip, 0)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	w.check(c.SetDeadline(time.Now().Add(patience)))
	return c
}

func (w *world) expect(peer *net.UDPConn, from netip.AddrPort, want []byte) {
	w.t.Helper()
	b := make([]byte, 2048)
	n, at, err := peer.ReadFromUDPAddrPort(b)
	if err != nil || at != from || !bytes.Equal(b[:n], want) {
		w.t.Fatalf("peer got %d bytes %.40q from %s, %v; want %d bytes %.40q from %s", n, b[:n], at, err, len(want), want, from)
	}
}

func (w *world) write(peer *net.UDPConn, to netip.AddrPort, b []byte) {
	w.t.Helper()
	if _, err := peer.WriteToUDPAddrPort(b, to); err != nil {
		w.t.Fatal(err)
	}
}

// waitFor waits until counters say what they will.
func (w *world) waitFor(o *owner, what string, f func(tally.Snapshot) bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !f(o.counters.Snapshot()); {
		if time.Now().After(end) {
			w.t.Fatalf("%s did not come: %+v", what, o.counters.Snapshot())
		}
		<-time.After(time.Millisecond)
	}
}

func later() time.Time { return time.Now().Add(time.Hour) }

func channelData(number uint16, payload []byte) []byte {
	return append(wire.AppendChannelHeader(nil, number, len(payload)), payload...)
}

var testID = [12]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}

func message(typ uint16, add func(b *wire.Builder)) []byte {
	var b wire.Builder
	b.Begin(nil, typ, testID)
	if add != nil {
		add(&b)
	}
	return b.Bytes()
}

func sendIndication(peer netip.AddrPort, payload []byte) []byte {
	return message(wire.TypeSendIndication, func(b *wire.Builder) {
		b.AddAddr(wire.AttrXORPeerAddress, peer)
		b.Add(wire.AttrData, payload)
	})
}

// checkData compares a Data indication.
func (w *world) checkData(frame []byte, peer netip.AddrPort, payload []byte) {
	w.t.Helper()
	var m wire.Message
	if err := m.Parse(frame); err != nil || m.Type != wire.TypeDataIndication {
		w.t.Fatalf("not a Data indication: %x, %v", frame, err)
	}
	xor, _ := m.Get(wire.AttrXORPeerAddress)
	from, _ := m.Addr(xor)
	data, ok := m.Get(wire.AttrData)
	if from != peer || !ok || !bytes.Equal(data, payload) || m.TransactionID == testID {
		w.t.Fatalf("Data indication of %d bytes from %s, want %d from %s", len(data), from, len(payload), peer)
	}
}

// payload is n bytes that differ from others'.
func payload(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed + i*7)
	}
	if n >= 4 {
		binary.BigEndian.PutUint32(b, uint32(seed))
	}
	return b
}

var families = []string{"127.0.0.1", "::1"}

// each runs a test for both families, both implementations, and both kinds of clients.
func each(t *testing.T, f func(t *testing.T, w *world, c *client)) {
	for _, ip := range families {
		for _, portable := range []bool{false, true} {
			for _, transport := range []Transport{UDP, TCP} {
				t.Run(fmt.Sprintf("%s portable=%v %s", ip, portable, transport), func(t *testing.T) {
					w := newWorld(t, ip, portable, "")
					f(t, w, w.client(transport))
				})
			}
		}
	}
}
