package datapath

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/turn/wire"
)

func TestConfigIsChecked(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, tc := range []struct {
		name string
		cfg  Config
	}{
		{"no ports", Config{}},
		{"ports in the wrong order", Config{MinPort: 10, MaxPort: 9}},
		{"a wildcard", Config{MinPort: 1, MaxPort: 9, Relay: []RelayAddr{{Bind: netip.IPv4Unspecified()}}}},
		{"no address", Config{MinPort: 1, MaxPort: 9, Relay: []RelayAddr{{}}}},
		{"a wildcard announced", Config{MinPort: 1, MaxPort: 9, Relay: []RelayAddr{{Bind: four, Announced: netip.IPv4Unspecified()}}}},
		{"two of one family", Config{MinPort: 1, MaxPort: 9, Relay: []RelayAddr{{Bind: four}, {Bind: four}}}},
		{"announced in another family", Config{MinPort: 1, MaxPort: 9, Relay: []RelayAddr{{Bind: four, Announced: six}}}},
	} {
		if _, err := New(tc.cfg, zap.NewNop(), prometheus.NewRegistry()); err == nil {
			t.Errorf("%s: no error", tc.name)
		}
	}
}

func TestCapsAndConflicts(t *testing.T) {
	w := newWorld(t, "127.0.0.1", false, "")
	a := w.client(UDP).allocate(new(owner))
	peer := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), uint16(1000+i))
	}
	w.check(a.Permit(time.Now().Add(-time.Second), peer(99).Addr())) // counts no more
	w.check(a.Bind(0x4099, peer(99), time.Now().Add(-time.Second)))
	for range 2 { // the second round refreshes
		for i := range MaxPeers {
			w.check(a.Permit(later(), peer(i).Addr()))
			w.check(a.Bind(0x4000+uint16(i), peer(i), later()))
		}
	}
	for _, tc := range []struct {
		name string
		got  error
		want error
	}{
		{"one permission more", a.Permit(later(), peer(50).Addr()), ErrTooMany},
		{"a known permission and one more", a.Permit(later(), peer(1).Addr(), peer(51).Addr()), ErrTooMany},
		{"one channel more", a.Bind(0x4050, peer(50), later()), ErrTooMany},
		{"another peer on a number", a.Bind(0x4000, peer(50), later()), ErrBound},
		{"another number for a peer", a.Bind(0x4050, peer(1), later()), ErrBound},
		{"number and peer of two channels", a.Bind(0x4000, peer(1), later()), ErrBound},
		{"port 0", a.Bind(0x4050, netip.AddrPortFrom(peer(50).Addr(), 0), later()), ErrPeer},
		{"IPv6 permission", a.Permit(later(), netip.IPv6Loopback()), ErrFamily},
		{"IPv6 channel", a.Bind(0x4050, netip.AddrPortFrom(netip.IPv6Loopback(), 1), later()), ErrFamily},
		{"IPv4-mapped", a.Permit(later(), netip.MustParseAddr("::ffff:192.0.2.1")), ErrFamily},
	} {
		if !errors.Is(tc.got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, tc.got, tc.want)
		}
	}
	w.check(a.Bind(0x4000, peer(0), time.Now().Add(-time.Second))) // what is over makes room
	w.check(a.Bind(0x4050, peer(0), later()))
	w.check(a.Permit(time.Now().Add(-time.Second), peer(0).Addr()))
	if err := a.Permit(later(), peer(60).Addr(), peer(1).Addr(), peer(61).Addr()); !errors.Is(err, ErrTooMany) {
		t.Errorf("two permissions where one finds room: %v", err)
	}
	w.check(a.Permit(later(), peer(62).Addr(), peer(1).Addr(), peer(62).Addr())) // the place is free still
	a.Close()
	if err := errors.Join(a.Permit(later(), peer(1).Addr()), a.Bind(0x4001, peer(1), later())); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAllocate(t *testing.T) {
	w := newWorld(t, "127.0.0.1", false, "")
	c := w.client(UDP)
	if _, err := w.Allocate(c.at, new(owner), Ask{IPv6: true}); !errors.Is(err, ErrFamily) {
		t.Errorf("IPv6: %v", err)
	}
	a := c.allocate(new(owner))
	if _, err := w.Allocate(c.at, new(owner), Ask{}); !errors.Is(err, ErrExists) {
		t.Errorf("a second one: %v", err)
	}
	closed := make(chan error)
	conn := a.PacketConn()
	go func() {
		_, _, err := conn.ReadFrom(make([]byte, 10))
		closed <- err
	}()
	select {
	case err := <-closed:
		t.Fatalf("ReadFrom returned: %v", err)
	case <-a.Done():
		t.Fatal("done too early")
	default:
	}
	w.check(conn.Close())
	if err := <-closed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadFrom: %v", err)
	}
	<-a.Done()
	for i := range 10 {
		a, err := w.Allocate(c.at, new(owner), Ask{Even: true})
		if err != nil || a.Relayed().Port()%2 != 0 {
			t.Errorf("%d: port %d, %v; want an even one", i, a.Relayed().Port(), err)
		}
		a.Close()
	}
}

// TestEveryPortIsUsed: a small range is given out whole, each port once, but the one that another program has; then there are none until one is closed.
func TestEveryPortIsUsed(t *testing.T) {
	for _, portable := range []bool{false, true} {
		ip := netip.MustParseAddr("127.0.0.1")
		port := foreign(t, ip, 20)
		low, high := port-20, port+20
		p, err := New(Config{Relay: []RelayAddr{{Bind: ip}}, MinPort: low, MaxPort: high, Portable: portable}, zap.NewNop(), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		w := &world{Path: p, t: t, ip: ip, control: &control{}}
		p.SetControl(w.control)
		w.listen()
		seen := map[uint16]*Allocation{}
		allocate := func(i int) (*Allocation, error) {
			return p.Allocate(Client{Remote: netip.AddrPortFrom(ip, uint16(i+1))}, new(owner), Ask{})
		}
		for i := range int(high - low) {
			a, err := allocate(i)
			if err != nil {
				t.Fatalf("allocation %d: %v", i, err)
			}
			if n := a.Relayed().Port(); n < low || n > high || n == port || seen[n] != nil {
				t.Errorf("port %d is out of %d to %d, foreign or given twice", n, low, high)
			}
			seen[a.Relayed().Port()] = a
		}
		if _, err := allocate(1000); !errors.Is(err, ErrNoPort) {
			t.Errorf("one more: %v", err)
		}
		seen[port+3].Close()
		if a, err := allocate(1000); err != nil || a.Relayed().Port() != port+3 {
			t.Errorf("after one was closed: %v", err)
		}
	}
}

// foreign opens the middle one of free ports, so many on each side of it, and returns it. They are below those that the system gives to whoever asks for any, so that no other
// program comes between.
func foreign(t *testing.T, ip netip.Addr, beside uint16) (port uint16) {
	t.Helper()
	for low := uint16(31000); low < 32000; low += 2*beside + 1 {
		if held := openAll(ip, low, low+2*beside); held != nil {
			for i, c := range held {
				if uint16(i) != beside {
					_ = c.Close()
				}
			}
			t.Cleanup(func() { _ = held[beside].Close() })
			return low + beside
		}
	}
	t.Fatal("there are no free ports beside each other")
	return 0
}

// openAll opens all ports of a range, or none of them.
func openAll(ip netip.Addr, low, high uint16) (all []*net.UDPConn) {
	for port := low; port <= high; port++ {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, port)))
		if err != nil {
			for _, c := range all {
				_ = c.Close()
			}
			return nil
		}
		all = append(all, c)
	}
	return all
}

// TestPortsThatCannotBeOpened: those that the system keeps are stepped over, and after any other error the next port is tried.
func TestPortsThatCannotBeOpened(t *testing.T) {
	p := newPorts(1000, 1003)
	other := errors.New("other")
	for _, tc := range []struct{ says, want error }{{syscall.EACCES, nil}, {syscall.EPERM, nil}, {other, other}} {
		bad := uint16(p.min + p.next*p.step%p.size)
		open := func(port uint16) error {
			if port == bad {
				return tc.says
			}
			return nil
		}
		if err := p.take(false, open); !errors.Is(err, tc.want) {
			t.Errorf("%v: %v, want %v", tc.says, err, tc.want)
		}
		for i := range uint16(4) {
			p.give(1000 + i)
		}
		if err := p.take(false, open); err != nil {
			t.Errorf("%v, then: %v", tc.says, err)
		}
	}
}

func TestPortOrder(t *testing.T) {
	for _, size := range []int{1, 2, 100, stride, 2 * stride, 16384} {
		p := newPorts(1000, uint16(1000+size-1))
		seen := map[uint16]bool{}
		for range size {
			if err := p.take(false, func(port uint16) error { seen[port] = true; return nil }); err != nil {
				t.Fatalf("size %d: %v after %d ports", size, err, len(seen))
			}
		}
		if len(seen) != size {
			t.Errorf("size %d: %d ports", size, len(seen))
		}
	}
}

// TestStopped: the end of Run closes what there is, and there is nothing new.
func TestStopped(t *testing.T) {
	var a *Allocation
	var w *world
	t.Run("running", func(t *testing.T) {
		w = newWorld(t, "127.0.0.1", false, "")
		a = w.client(UDP).allocate(new(owner))
	})
	<-a.Done()
	if _, err := w.Allocate(Client{}, new(owner), Ask{}); err == nil {
		t.Error("an allocation after the end")
	}
}

// TestMuchAtOnce: clients of both transports allocate, bind, permit, send, and close while their owners change their minds and peers send. The race detector looks on.
func TestMuchAtOnce(t *testing.T) {
	for _, portable := range []bool{false, true} {
		w := newWorld(t, "127.0.0.1", portable, "")
		peer := w.peer()
		at := addrPort(peer.LocalAddr())
		var wg sync.WaitGroup
		for _, transport := range []Transport{UDP, UDP, TCP, TCP} {
			c := w.client(transport)
			wg.Go(func() { churn(w, c, peer, at) })
		}
		wg.Wait()
	}
}

func churn(w *world, c *client, peer *net.UDPConn, at netip.AddrPort) {
	frame := c.padded(channelData(0x4000, []byte("data")))
	for i := range 30 {
		o := new(owner)
		a, err := w.Allocate(c.at, o, Ask{})
		if err != nil {
			w.t.Error(err)
			return
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 20 {
				_, _ = c.Write(frame)
				_, _ = c.Write(sendIndication(at, []byte("data")))
				_, _ = c.Write(message(wire.TypeBindingIndication, nil))
			}
		})
		wg.Go(func() {
			for range 20 {
				_, _ = peer.WriteToUDPAddrPort([]byte("data"), a.Relayed())
			}
		})
		wg.Go(func() {
			for j := range 20 {
				_ = a.Bind(0x4000+uint16(j), netip.AddrPortFrom(at.Addr(), at.Port()+uint16(j)), later())
				_ = a.Permit(later(), netip.AddrFrom4([4]byte{127, 0, 0, byte(j + 1)}))
				o.refuse(netip.AddrPortFrom(at.Addr(), at.Port()+uint16(j%2)))
			}
		})
		if i%2 == 0 {
			wg.Wait()
		}
		wg.Go(a.Close)
		a.Close()
		wg.Wait()
	}
}
