package datapath

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// flows are clients and a peer, and a function that moves one burst each way for each client.
func flows(t testing.TB, portable bool, transport Transport, clients, burst int) (moves map[string]func()) {
	w := newWorld(t, "127.0.0.1", portable, "")
	peer := w.peer()
	w.check(errors.Join(peer.SetReadBuffer(4<<20), peer.SetDeadline(time.Time{})))
	at := addrPort(peer.LocalAddr())
	var all []*client
	var relayed []netip.AddrPort
	for range clients {
		c := w.client(transport)
		w.check(c.SetDeadline(time.Time{}))
		a := c.allocate(new(owner))
		w.check(a.Bind(0x4000, at, later()))
		w.check(a.Permit(later(), at.Addr()))
		all, relayed = append(all, c), append(relayed, a.Relayed())
	}
	p := payload(1, 1200)
	frame, indication, b := channelData(0x4000, p), sendIndication(at, p), make([]byte, 2048)
	up := func(frame []byte) func() {
		return func() {
			for _, c := range all {
				for range burst {
					c.send(frame)
				}
			}
			for range clients * burst {
				if _, _, err := peer.ReadFromUDPAddrPort(b); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	down := func() {
		for i := range all {
			for range burst {
				w.write(peer, relayed[i], p)
			}
		}
		for _, c := range all {
			for n := 0; n < burst*len(frame); {
				m, err := c.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				n += m
			}
		}
	}
	return map[string]func(){"up": up(frame), "send": up(indication), "down": down}
}

// TestRelayAllocatesNothing: no packet does, up or down, as ChannelData or indication.
func TestRelayAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	for _, portable := range []bool{false, true} {
		for _, transport := range []Transport{UDP, TCP} {
			for name, move := range flows(t, portable, transport, 2, 16) {
				move()
				if n := testing.AllocsPerRun(50, move); n != 0 {
					t.Errorf("%s by %s, portable=%v: %v allocations per 32 packets, want none", name, transport, portable, n)
				}
			}
		}
	}
}

// TestIdleAllocationsAllocateLittle: what stays on the heap of 2000 that are silent. Nothing but this and the kernel's socket belongs to one.
func TestIdleAllocationsAllocateLittle(t *testing.T) {
	const n, most = 2000, 2048 // bytes each
	w := newWorld(t, "127.0.0.1", false, "")
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := heap()
	for i := range n {
		if _, err := w.Allocate(Client{Remote: netip.AddrPortFrom(w.ip, uint16(i+1))}, new(owner), Ask{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := int64(heap()-before) / n; got > most {
		t.Errorf("%d bytes per idle allocation, most %d", got, most)
	}
}

func BenchmarkRelay(b *testing.B) {
	for _, tc := range []struct {
		clients, burst int
	}{{4, 16}, {64, 1}} {
		for _, portable := range []bool{false, true} {
			for _, transport := range []Transport{UDP, TCP} {
				for name, move := range flows(b, portable, transport, tc.clients, tc.burst) {
					b.Run(fmt.Sprintf("%s/%s/%dx%d/portable=%v", transport, name, tc.clients, tc.burst, portable), func(b *testing.B) {
						b.ReportAllocs()
						for b.Loop() {
							move()
						}
						b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tc.clients*tc.burst), "ns/packet")
					})
				}
			}
		}
	}
}
