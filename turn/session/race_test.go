package session

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/turn/control"
	"signalbox/turn/policy"
)

// TestEndAgainstEverybody: while sides reserve, attach, relay and are changed, sessions end. Whoever asks after End has returned gets nothing, all allocations are closed,
// and all quotas come back.
func TestEndAgainstEverybody(t *testing.T) {
	const sessions, workers = 20, 4
	w := newWorld(t, Limits{Allocations: 1 << 20, SessionRate: 1 << 40}, policy.Config{})
	var ports atomic.Uint32
	for round := range sessions {
		id := fmt.Sprint("s", round)
		a, b := w.open(control.Session{ID: id, Owner: "node", Technician: "anna"})
		var over atomic.Bool
		var mu sync.Mutex
		var made []*allocation
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() {
				s := []*Side{a, b}[i%2]
				for !over.Load() {
					one := relay(s, &ports)
					mu.Lock()
					made = append(made, one)
					mu.Unlock()
				}
			})
		}
		wg.Go(func() {
			for !over.Load() {
				s := control.Session{ID: id, Owner: "node", Expires: w.clock.now().Add(time.Minute), AllowPeers: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(ports.Load())}), 32)}}
				if w.Side(id, 'a') == a { // else it would be opened again
					w.mu.Lock()
					if !a.session.ended() {
						a.session.changeLocked(s)
					}
					w.mu.Unlock()
				}
				w.Counters(id)
				w.Stats()
			}
		})
		for ports.Load() < uint32(20*(round+1)) {
			a.Take(1)
		}
		for range 2 {
			wg.Go(func() {
				if round%2 == 0 {
					w.End(id)
				} else {
					w.Sync("node", nil)
				}
				if a.Take(1) || b.Allows(netip.MustParseAddrPort("192.0.2.1:1")) || a.Generation() != b.Generation() {
					t.Error("after the end something is allowed")
				}
			})
		}
		for w.Side(id, 'a') != nil {
			b.Take(1)
		}
		over.Store(true)
		wg.Wait()
		for _, one := range made {
			if !one.closed.Load() {
				t.Fatalf("the allocation %v is not closed", one.relayed)
			}
		}
	}
	if got := w.Stats(); got.Allocations != 0 || got.Sessions != 0 || len(w.technicians) != 0 {
		t.Errorf("left: %+v, technicians %v", got, w.technicians)
	}
}

// relay does what guard and data path do with an allocation, from its reservation until it is detached, or the end of the session closes it.
func relay(s *Side, ports *atomic.Uint32) *allocation {
	n := ports.Add(1)
	one := &allocation{relayed: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.1"), uint16(n))}
	release, err := s.Reserve()
	if err != nil {
		one.Close()
		return one
	}
	one.onClose = func() { s.Detach(one); release() }
	s.Attach(one)
	for range 10 {
		generation := s.Generation()
		if s.Allows(one.relayed) && s.Take(100) && s.Generation() == generation {
			s.Counters().Up(1, 100)
		}
	}
	s.Permits(netip.MustParseAddr("127.0.0.1"))
	if n%2 == 0 {
		one.Close()
	}
	return one
}
