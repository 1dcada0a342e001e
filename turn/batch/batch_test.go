package batch

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// families are loopback addresses; portable is which implementation.
var families = []string{"127.0.0.1", "::1"}

func each(t *testing.T, f func(t *testing.T, ip netip.Addr, portable bool)) {
	for _, ip := range families {
		for _, portable := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s portable=%v", ip, portable), func(t *testing.T) { f(t, netip.MustParseAddr(ip), portable) })
		}
	}
}

// open returns a socket of the net package with a deadline.
func open(t testing.TB, at netip.AddrPort) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func addrOf(c *net.UDPConn) netip.AddrPort { return plain(c.LocalAddr().(*net.UDPAddr).AddrPort()) }

// got is a datagram with its bytes kept.
type got struct {
	tag  any
	from netip.AddrPort
	to   netip.Addr
	long bool
	data string
}

// collector is a handler that hands on what it gets when the round is over, as long as the bytes are still there.
type collector struct {
	rooms []Datagram
	tags  []any
	out   chan got
}

func (c *collector) Handle(tag any, d *Datagram) {
	c.rooms, c.tags = append(c.rooms, *d), append(c.tags, tag)
}

func (c *collector) Flush() {
	for i, d := range c.rooms {
		g := got{tag: c.tags[i], from: d.From, to: d.To, long: d.Long}
		if !d.Long {
			g.data = string(d.Payload())
		}
		c.out <- g
	}
	c.rooms, c.tags = c.rooms[:0], c.tags[:0]
}

// serve starts a Conn and returns what it receives.
func serve(t *testing.T, at netip.AddrPort, portable bool) (Conn, <-chan got) {
	t.Helper()
	u := open(t, at)
	if err := u.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	c, err := NewConn(u, portable)
	if err != nil {
		t.Fatal(err)
	}
	h := &collector{out: make(chan got, 1000)}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Serve("tag", h); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		_ = c.Close()
		wg.Wait()
	})
	return c, h.out
}

func take(t *testing.T, from <-chan got) got {
	t.Helper()
	select {
	case g := <-from:
		return g
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was received")
		return got{}
	}
}

// payloads are of sizes that go alone, in one message with others, and not at all.
func payloads() (all [][]byte) {
	for i, n := range []int{1, 0, 7, 7, 7, 3, 3, 1200, 1200, 1200, 1200, 600, 1200, MaxDatagram, MaxDatagram, 2} {
		all = append(all, bytes.Repeat([]byte{byte(i + 1)}, n))
	}
	for i := range 150 {
		all = append(all, bytes.Repeat([]byte{byte(i)}, 100+i/70))
	}
	return all
}

func TestReceivesEveryByte(t *testing.T) {
	each(t, func(t *testing.T, ip netip.Addr, portable bool) {
		c, received := serve(t, netip.AddrPortFrom(ip, 0), portable)
		client := open(t, netip.AddrPortFrom(ip, 0))
		for i, p := range payloads() {
			if _, err := client.WriteToUDPAddrPort(p, c.Local()); err != nil {
				t.Fatal(err)
			}
			want := got{tag: "tag", from: addrOf(client), data: string(p)}
			if g := take(t, received); g != want {
				t.Fatalf("datagram %d: got %d bytes from %s long=%v, want %d from %s", i, len(g.data), g.from, g.long, len(p), want.from)
			}
		}
	})
}

func TestSendsEveryByte(t *testing.T) {
	each(t, func(t *testing.T, ip netip.Addr, portable bool) {
		c, _ := serve(t, netip.AddrPortFrom(ip, 0), portable)
		clients := []*net.UDPConn{open(t, netip.AddrPortFrom(ip, 0)), open(t, netip.AddrPortFrom(ip, 0))}
		var out []Packet
		for i, p := range payloads() {
			out = append(out, Packet{Data: p, To: addrOf(clients[i%7/6])})
		}
		if failed := c.Send(out); failed != 0 {
			t.Fatalf("%d packets failed", failed)
		}
		for i, p := range out {
			b := make([]byte, roomSize)
			n, from, err := clients[i%7/6].ReadFromUDPAddrPort(b)
			if err != nil || plain(from) != c.Local() || !bytes.Equal(b[:n], p.Data) {
				t.Fatalf("packet %d: got %d bytes from %s, %v; want %d", i, n, from, err, len(p.Data))
			}
		}
	})
}

func TestTooLongIsToldNotTruncated(t *testing.T) {
	each(t, func(t *testing.T, ip netip.Addr, portable bool) {
		c, received := serve(t, netip.AddrPortFrom(ip, 0), portable)
		client := open(t, netip.AddrPortFrom(ip, 0))
		for _, n := range []int{MaxDatagram + 1, roomSize, 9000, MaxDatagram} {
			if _, err := client.WriteToUDPAddrPort(make([]byte, n), c.Local()); err != nil {
				t.Fatal(err)
			}
			if g := take(t, received); g.long != (n > MaxDatagram) || !g.long && len(g.data) != n {
				t.Errorf("%d bytes: long = %v, %d bytes", n, g.long, len(g.data))
			}
		}
	})
}

// TestFailedPacketsAreMarked: a packet that cannot be sent, alone or in a message with others, stops none of the others.
func TestFailedPacketsAreMarked(t *testing.T) {
	each(t, func(t *testing.T, ip netip.Addr, portable bool) {
		c, _ := serve(t, netip.AddrPortFrom(ip, 0), portable)
		client := open(t, netip.AddrPortFrom(ip, 0))
		good, bad := addrOf(client), netip.AddrPortFrom(ip, 0)
		tos := []netip.AddrPort{good, bad, good, good, bad, bad, bad, good, bad}
		for round := range 2 { // the second without segments of this size
			var out []Packet
			failed := 0
			for i, to := range tos {
				out = append(out, Packet{Data: []byte{byte(i), 0, 0}, To: to})
				if to == bad {
					failed++
				}
			}
			if n := c.Send(out); n != failed {
				t.Errorf("round %d: %d failed, want %d", round, n, failed)
			}
			for i, p := range out {
				if p.Failed != (p.To == bad) {
					t.Errorf("round %d: packet %d to %s: failed = %v", round, i, p.To, p.Failed)
				}
				if p.To != good {
					continue
				}
				b := make([]byte, 10)
				if n, _, err := client.ReadFromUDPAddrPort(b); err != nil || !bytes.Equal(b[:n], p.Data) {
					t.Fatalf("round %d: got %v, %v; want %v", round, b[:n], err, p.Data)
				}
			}
		}
	})
}

// TestRefusedPacketsEndNoLoop: the system reports that nobody listens at an address; that is no end.
func TestRefusedPacketsEndNoLoop(t *testing.T) {
	each(t, func(t *testing.T, ip netip.Addr, portable bool) {
		c, received := serve(t, netip.AddrPortFrom(ip, 0), portable)
		client := open(t, netip.AddrPortFrom(ip, 0))
		gone := open(t, netip.AddrPortFrom(ip, 0))
		to := addrOf(gone)
		_ = gone.Close()
		for range 10 {
			c.Send([]Packet{{Data: []byte("x"), To: to}, {Data: []byte("y"), To: to}})
		}
		if _, err := client.WriteToUDPAddrPort([]byte("still there"), c.Local()); err != nil {
			t.Fatal(err)
		}
		if g := take(t, received); g.data != "still there" {
			t.Errorf("got %q", g.data)
		}
	})
}

// TestWildcardKnowsWhereItWasReached: a client accepts an answer only from the address that it wrote to.
func TestWildcardKnowsWhereItWasReached(t *testing.T) {
	for _, tc := range []struct{ bind, to string }{{"0.0.0.0", "127.0.0.1"}, {"0.0.0.0", "127.0.0.77"}, {"::", "127.0.0.77"}, {"::", "::1"}} {
		t.Run(tc.bind+" "+tc.to, func(t *testing.T) {
			c, received := serve(t, netip.AddrPortFrom(netip.MustParseAddr(tc.bind), 0), false)
			to := netip.AddrPortFrom(netip.MustParseAddr(tc.to), c.Local().Port())
			client, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			_ = client.SetDeadline(time.Now().Add(20 * time.Second))
			if _, err := client.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			g := take(t, received)
			if g.to != to.Addr() || g.from != addrOf(client) {
				t.Fatalf("received from %s at %s, want %s at %s", g.from, g.to, addrOf(client), to.Addr())
			}
			out := []Packet{{Data: []byte("one"), To: g.from, From: g.to}, {Data: []byte("two"), To: g.from, From: g.to}, {Data: []byte("4444"), To: g.from, From: g.to}}
			if failed := c.Send(out); failed != 0 {
				t.Fatalf("%d packets failed", failed)
			}
			for _, want := range []string{"one", "two", "4444"} {
				b := make([]byte, 10)
				if n, err := client.Read(b); err != nil || string(b[:n]) != want {
					t.Fatalf("got %q, %v; want %q", b[:n], err, want)
				}
			}
		})
	}
}

// newTestGroup runs a group until the test ends.
func newTestGroup(t testing.TB, portable bool, handler func() Handler) Group {
	t.Helper()
	g, err := NewGroup(handler, portable)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := g.Run(stop); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		close(stop)
		wg.Wait()
	})
	return g
}

// freePort returns a port that nobody has. It is below those that the system gives to whoever asks for any, so that no other program takes it before the test does.
func freePort(t testing.TB, ip netip.Addr) netip.AddrPort {
	t.Helper()
	for range 1000 {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(10_000+rand.IntN(10_000)))))
		if err == nil {
			defer c.Close()
			return addrOf(c)
		}
	}
	t.Fatal("there is no free port")
	return netip.AddrPort{}
}

func TestGroupReceivesAndSends(t *testing.T) {
	each(t, func(t *testing.T, ip netip.Addr, portable bool) {
		out := make(chan got, 1000)
		g := newTestGroup(t, portable, func() Handler { return &collector{out: out} })
		peer := open(t, netip.AddrPortFrom(ip, 0))
		want, have := []string{}, []string{}
		for i := range 20 {
			at := freePort(t, ip)
			s, err := g.Open(at, i)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := g.Open(at, i); !isInUse(err) {
				t.Errorf("opened again: %v", err)
			}
			for j := range 1 + i%5*20 {
				text := fmt.Sprintf("socket %d, packet %d", i, j)
				if _, err := peer.WriteToUDPAddrPort([]byte(text), at); err != nil {
					t.Fatal(err)
				}
				want = append(want, text)
			}
			if failed := s.Send([]Packet{{Data: []byte{byte(i)}, To: addrOf(peer)}}); failed != 0 {
				t.Errorf("%d failed", failed)
			}
			b := make([]byte, 10)
			if n, from, err := peer.ReadFromUDPAddrPort(b); err != nil || n != 1 || plain(from) != at {
				t.Fatalf("got %v from %s, %v", b[:n], from, err)
			}
		}
		for range want {
			d := take(t, out)
			if d.from != addrOf(peer) || !bytes.HasPrefix([]byte(d.data), fmt.Appendf(nil, "socket %d,", d.tag)) {
				t.Errorf("tag %v got %q from %s", d.tag, d.data, d.from)
			}
			have = append(have, d.data)
		}
		slices.Sort(want)
		slices.Sort(have)
		if !slices.Equal(want, have) {
			t.Errorf("got %d packets, not those that were sent", len(have))
		}
	})
}

func isInUse(err error) bool { return err != nil && errors.Is(err, syscall.EADDRINUSE) }

// TestClosedSocketsAreSilent: after Close neither side moves a packet, though the descriptor is another socket's now.
func TestClosedSocketsAreSilent(t *testing.T) {
	each(t, func(t *testing.T, ip netip.Addr, portable bool) {
		out := make(chan got, 1000)
		g := newTestGroup(t, portable, func() Handler { return &collector{out: out} })
		peer := open(t, netip.AddrPortFrom(ip, 0))
		old, err := g.Open(freePort(t, ip), "old")
		if err != nil {
			t.Fatal(err)
		}
		old.Close()
		old.Close()
		at := freePort(t, ip)
		if _, err := g.Open(at, "new"); err != nil {
			t.Fatal(err)
		}
		if failed := old.Send([]Packet{{Data: []byte("x"), To: addrOf(peer)}, {Data: []byte("x"), To: addrOf(peer)}}); failed != 2 {
			t.Errorf("%d of 2 packets failed on a closed socket", failed)
		}
		if _, err := peer.WriteToUDPAddrPort([]byte("hello"), at); err != nil {
			t.Fatal(err)
		}
		if d := take(t, out); d.tag != "new" || d.data != "hello" {
			t.Errorf("got %+v", d)
		}
	})
}

func TestOpenAfterTheEnd(t *testing.T) {
	each(t, func(t *testing.T, ip netip.Addr, portable bool) {
		g, err := NewGroup(func() Handler { return &collector{} }, portable)
		if err != nil {
			t.Fatal(err)
		}
		s, err := g.Open(freePort(t, ip), nil)
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		close(stop)
		if err := g.Run(stop); err != nil {
			t.Fatal(err)
		}
		if failed := s.Send([]Packet{{Data: []byte("x"), To: netip.AddrPortFrom(ip, 9)}}); failed != 1 {
			t.Error("a socket sends after the end of its group")
		}
		if _, err := g.Open(freePort(t, ip), nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Open after the end: %v", err)
		}
	})
}

// TestManyAtOnce opens, sends, receives and closes from many goroutines, for the race detector.
func TestManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, ip netip.Addr, portable bool) {
		sink := &collectorOfNothing{}
		g := newTestGroup(t, portable, func() Handler { return sink })
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					s, err := g.Open(netip.AddrPortFrom(ip, 0), "x")
					if err != nil {
						t.Error(err)
						return
					}
					for range 4 {
						wg.Go(func() { s.Send([]Packet{{Data: []byte("x"), To: netip.AddrPortFrom(ip, 9)}}) })
					}
					s.Close()
				}
			})
		}
		wg.Wait()
	})
}

type collectorOfNothing struct{}

func (*collectorOfNothing) Handle(any, *Datagram) {}
func (*collectorOfNothing) Flush()                {}
