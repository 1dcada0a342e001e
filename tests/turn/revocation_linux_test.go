package turn

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/tests/turn/rawturn"
)

// flood sends numbered packets without end. Numbers of all floods come from one counter, so that whoever gets a packet knows whether it was sent before or after
// something else.
type flood struct {
	number  atomic.Uint64
	senders sync.WaitGroup
	over    chan struct{}
}

const floodSize = 200

// from starts a sender; write may fail.
func (f *flood) from(write func([]byte) error) {
	f.senders.Go(func() {
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for b := make([]byte, floodSize); ; {
			for range 5 {
				binary.BigEndian.PutUint64(b, f.number.Add(1))
				_ = write(b)
			}
			select {
			case <-pace.C:
			case <-f.over:
				return
			}
		}
	})
}

// meter notes what one receiver got.
type meter struct {
	name    string
	count   atomic.Int64
	highest atomic.Uint64
}

func (m *meter) take(b []byte) {
	m.count.Add(1)
	if len(b) >= 8 {
		m.highest.Store(max(m.highest.Load(), binary.BigEndian.Uint64(b))) // one goroutine writes
	}
}

// TestRevocation: when the answer to DELETE is there, nothing that is sent from then on passes a relay of the session, in any direction, on any transport; others' go on.
func TestRevocation(t *testing.T) {
	s, four := newOutside(t, "")
	p := s.probe()
	session, other := s.open(t), s.open(t)
	f := &flood{over: make(chan struct{})}
	var receivers sync.WaitGroup
	var ended []*rawturn.Client
	stop := sync.OnceFunc(func() {
		close(f.over)
		f.senders.Wait()
	})
	defer receivers.Wait()
	defer stop()
	var meters, witnesses []*meter
	for _, network := range []string{"udp", "tcp", "tls"} {
		got, clients := p.underLoad(network, session, four, f, &receivers)
		meters, ended = append(meters, got...), append(ended, clients...)
		got, _ = p.underLoad(network, other, four, f, &receivers)
		witnesses = append(witnesses, got...)
	}
	allFlow := func(meters []*meter, beyond uint64) func() bool {
		return func() bool {
			for _, m := range meters {
				if m.count.Load() < 100 || m.highest.Load() <= beyond {
					return false
				}
			}
			return true
		}
	}
	problem := func() string { return "the load does not flow" }
	await(t, allFlow(append(meters, witnesses...), 0), problem)

	begun := time.Now()
	s.end(t, session.id)
	took, mark := time.Since(begun), f.number.Load()+8*uint64(len(meters)+len(witnesses)) // each sender may hold the number of a packet that is not on its way yet
	if took > time.Second {
		t.Errorf("DELETE took %v, want at most 1 s", took)
	}
	await(t, allFlow(witnesses, mark+5000), problem)
	for _, m := range meters {
		if h := m.highest.Load(); h > mark {
			t.Errorf("%s got packet %d, although %d was not yet sent when the session had ended", m.name, h, mark)
		}
	}
	t.Logf("FIGURES DELETE answered after %v; %d meters silent, %d packets later", took.Round(time.Microsecond), len(meters), f.number.Load()-mark)
	stop()
	s.wantRelays(6) // of the other session
	for _, c := range ended {
		_ = c.Close()
	}
	c := p.greeted("udp", session.a)
	if got := p.do(c, rawturn.Allocate, rawturn.Transport(17)); got != "401" {
		t.Errorf("a credential of the session that ended: %s, want 401", got)
	}
	p.alive()
}

// underLoad has both sides of a session relay to a peer, the peer to both, and each side to the other.
func (p *probe) underLoad(network string, session pair, four netip.Addr, f *flood, receivers *sync.WaitGroup) (meters []*meter, clients []*rawturn.Client) {
	a, relayA := p.allocated(network, session.a)
	b, relayB := p.allocated(network, session.b)
	x := newPeer(p.T, four)
	for i, side := range []*rawturn.Client{a, b} {
		p.must(side.Bind(0x4000, x.addr))
		p.must(side.Bind(0x4001, []netip.AddrPort{relayB, relayA}[i]))
	}
	for i, side := range []*rawturn.Client{a, b} {
		relayed := []netip.AddrPort{relayA, relayB}[i]
		name := network + " side " + string(rune('a'+i))
		down := &meter{name: name}
		meters = append(meters, down)
		receivers.Go(func() { drain(f, down, func() ([]byte, error) { return side.Payload(time.Second) }) })
		f.from(func(b []byte) error { return side.SendOn(0x4000, b) })
		f.from(func(b []byte) error { return side.SendOn(0x4001, b) })
		f.from(func(b []byte) error {
			_, err := x.WriteToUDPAddrPort(b, relayed)
			return err
		})
	}
	up := &meter{name: network + " peer"}
	receivers.Go(func() {
		drain(f, up, func() ([]byte, error) {
			data, _, err := x.next(time.Second)
			return data, err
		})
	})
	return append(meters, up), []*rawturn.Client{a, b}
}

// drain reads until the flood is over.
func drain(f *flood, m *meter, receive func() ([]byte, error)) {
	for {
		b, err := receive()
		switch {
		case err == nil:
			m.take(b)
		case !errors.Is(err, rawturn.ErrSilence):
			return
		}
		select {
		case <-f.over:
			return
		default:
		}
	}
}

// TestEndWhileAllocating: an allocation that was under way when its session ended does not outlive it.
func TestEndWhileAllocating(t *testing.T) {
	s := newStand(t, settings{turn: "session_allocations: 1000\n"})
	for range 5 {
		session, w := s.open(t), newCrowd(t, s.turn())
		outcome := make(chan map[string]int, 1)
		go func() {
			defer close(outcome)
			outcome <- w.allocate(session.a, 600)
		}()
		t.Cleanup(func() { <-outcome }) // also of a test that fails meanwhile: members report to it
		await(t, func() bool { return len(s.relays()) > 100 }, func() string { return "no allocations" })
		s.end(t, session.id)
		out := <-outcome
		if out["success"] == 0 || out["401"] == 0 {
			t.Errorf("got %v: the session did not end between allocations", out)
		}
		t.Logf("FIGURES the session ended between allocations: %v", out)
		s.wantRelays(0)
	}
	s.probe().alive()
}
