package batch

import (
	"net"
	"net/netip"
	"sync"
	"testing"
)

// echo is a handler that sends back what it gets.
type echo struct {
	conn Conn
	out  []Packet
}

func (e *echo) Handle(_ any, d *Datagram) {
	e.out = append(e.out, Packet{Data: d.Payload(), To: d.From, From: d.To})
}

func (e *echo) Flush() {
	e.conn.Send(e.out)
	e.out = e.out[:0]
}

// echoes serves an echo at an address and returns a function that sends rounds of packets there and waits for all of them.
func echoes(t testing.TB, bind, to string, portable bool, perRound int) func() {
	u := open(t, netip.AddrPortFrom(netip.MustParseAddr(bind), 0))
	c, err := NewConn(u, portable)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Serve(nil, &echo{conn: c}); err != nil {
			t.Error(err)
		}
	})
	client, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(to), c.Local().Port())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		_ = c.Close()
		wg.Wait()
	})
	b := make([]byte, 1200)
	return func() {
		for range perRound {
			if _, err := client.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		for range perRound {
			if _, err := client.Read(b); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestEchoAllocatesNothing: neither receiving nor sending does, in any way of addressing.
func TestEchoAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	for _, tc := range []struct {
		bind, to string
		portable bool
	}{{"127.0.0.1", "127.0.0.1", false}, {"::1", "::1", false}, {"0.0.0.0", "127.0.0.1", false}, {"::", "127.0.0.1", false}, {"::", "::1", false}, {"127.0.0.1", "127.0.0.1", true}, {"::1", "::1", true}} {
		round := echoes(t, tc.bind, tc.to, tc.portable, 32)
		round()
		if n := testing.AllocsPerRun(50, round); n != 0 {
			t.Errorf("%+v: %v allocations per 32 packets, want none", tc, n)
		}
	}
}

func BenchmarkEcho(b *testing.B) {
	for name, portable := range map[string]bool{"batched": false, "portable": true} {
		b.Run(name, func(b *testing.B) {
			round := echoes(b, "127.0.0.1", "127.0.0.1", portable, 32)
			b.ReportAllocs()
			for b.Loop() {
				round()
			}
		})
	}
}
