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

	"signalbox/turn/tally"
)

// otherSide is the second side of an owner's session.
type otherSide struct {
	owner
	first *owner
}

func (o *otherSide) Counters() *tally.Counters { return o.first.Counters() }

// opened keeps the ports that it is asked to open, and opens all of them.
type opened []uint16

func (o *opened) open(port uint16) error {
	*o = append(*o, port)
	return nil
}

func (o *opened) last() uint16 { return (*o)[len(*o)-1] }

func TestPair(t *testing.T) {
	p, o, got := newPorts(1001, 1004), new(owner), new(opened)
	token, err := p.takePair(o, later(), got.open)
	if err != nil || got.last() != 1002 {
		t.Fatalf("ports %v, %v: want 1002, as 1004 has no next one", *got, err)
	}
	if _, err := p.takePair(o, later(), got.open); !errors.Is(err, ErrNoPort) {
		t.Errorf("a second pair: %v", err)
	}
	for range 2 {
		if err := p.take(false, got.open); err != nil || got.last() == 1003 {
			t.Errorf("port %d, %v: want one that is not kept", got.last(), err)
		}
	}
	if err := p.take(false, got.open); !errors.Is(err, ErrNoPort) {
		t.Errorf("all others are used, and one is kept: %v", err)
	}
	if err := p.claim(token, o, got.open); err != nil || got.last() != 1003 {
		t.Errorf("port %d, %v: want the next one", got.last(), err)
	}
	if err := p.claim(token, o, got.open); !errors.Is(err, ErrToken) {
		t.Errorf("the token again: %v", err)
	}
	p.give(1002)
	if _, err := p.takePair(o, later(), got.open); !errors.Is(err, ErrNoPort) {
		t.Errorf("1002 alone is free: %v", err)
	}
	p.give(1003)
	if _, err := p.takePair(o, later(), got.open); err != nil || got.last() != 1002 {
		t.Errorf("port %d, %v: want 1002 again", got.last(), err)
	}
}

// TestPairOfNone: where there are no two ports together, nothing is taken.
func TestPairOfNone(t *testing.T) {
	for _, r := range [][2]uint16{{1000, 1000}, {1001, 1001}, {1001, 1002}, {65535, 65535}} {
		p := newPorts(r[0], r[1])
		if _, err := p.takePair(new(owner), later(), new(opened).open); !errors.Is(err, ErrNoPort) {
			t.Errorf("ports %v: %v", r, err)
		}
		for range r[1] - r[0] + 1 {
			if err := p.take(false, new(opened).open); err != nil {
				t.Errorf("ports %v, afterwards: %v", r, err)
			}
		}
	}
}

// TestTokenOfSession: a token is its session's, of whichever side, and others who know it use nothing up.
func TestTokenOfSession(t *testing.T) {
	p, o, got := newPorts(1000, 1001), new(owner), new(opened)
	token, err := p.takePair(o, later(), got.open)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.claim(token, new(owner), got.open); !errors.Is(err, ErrToken) {
		t.Errorf("another session: %v", err)
	}
	if err := p.claim(Token{}, o, got.open); !errors.Is(err, ErrToken) {
		t.Errorf("a token of zeros: %v", err)
	}
	if err := p.claim(token, &otherSide{first: o}, got.open); err != nil || got.last() != 1001 {
		t.Errorf("the session's other side: port %d, %v", got.last(), err)
	}
}

// TestReservationEnds: a port is free again when its time is over, when its session ends, when it cannot be opened, and when nobody is told of it.
func TestReservationEnds(t *testing.T) {
	for name, end := range map[string]func(p *ports, o *owner, token Token){
		"its session":      func(_ *ports, o *owner, _ Token) { o.ended.Store(true) },
		"nobody was told":  func(p *ports, _ *owner, token Token) { p.forgo(token) },
		"its time is over": func(p *ports, o *owner, token Token) { p.kept[token] = reservation{n: 1, owner: o, until: time.Now()} },
		"another program has it": func(p *ports, o *owner, token Token) {
			if err := p.claim(token, o, func(uint16) error { return syscall.EADDRINUSE }); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("claim: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, o, got := newPorts(1000, 1001), new(owner), new(opened)
			token, err := p.takePair(o, later(), got.open)
			if err != nil {
				t.Fatal(err)
			}
			end(p, o, token)
			if err := p.take(false, got.open); err != nil || got.last() != 1001 {
				t.Errorf("another allocation: port %d, %v", got.last(), err)
			}
			p.give(1001)
			if err := p.claim(token, o, got.open); !errors.Is(err, ErrToken) || len(p.kept) != 0 {
				t.Errorf("the token afterwards: %v, %d kept", err, len(p.kept))
			}
			p.give(1000)
			if _, err := p.takePair(new(owner), later(), got.open); err != nil {
				t.Errorf("another pair: %v", err)
			}
		})
	}
}

// TestKeptForSession: a session that makes allocations and ends them again does not have the whole range kept.
func TestKeptForSession(t *testing.T) {
	p, o, got := newPorts(1000, 1999), new(owner), new(opened)
	keep := func(o Owner) (Token, error) {
		token, err := p.takePair(o, later(), got.open)
		if err == nil {
			p.give(got.last())
		}
		return token, err
	}
	var token Token
	for range MaxKept {
		var err error
		if token, err = keep(o); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := keep(&otherSide{first: o}); !errors.Is(err, ErrKept) {
		t.Errorf("one more, of the other side: %v", err)
	}
	if _, err := keep(new(owner)); err != nil {
		t.Errorf("another session: %v", err)
	}
	if err := p.claim(token, o, got.open); err != nil {
		t.Fatal(err)
	}
	if _, err := keep(o); err != nil {
		t.Errorf("after one was used: %v", err)
	}
}

// TestReservationsAtOnce: whatever sessions do at the same time, in the end all ports are free. The race detector looks on.
func TestReservationsAtOnce(t *testing.T) {
	const size = 256
	p := newPorts(1000, 1000+size-1)
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for i := range 200 {
				o, first, next := new(owner), new(opened), new(opened)
				token, err := p.takePair(o, later(), first.open)
				if err != nil {
					t.Error(err)
					return
				}
				if i%3 == 0 {
					if err := p.claim(token, o, next.open); err != nil || next.last() != first.last()+1 {
						t.Errorf("beside %v: %v, %v", *first, *next, err)
						return
					}
					p.give(next.last())
				}
				p.give(first.last())
				o.ended.Store(true)
			}
		})
	}
	working.Wait()
	for range size {
		if err := p.take(false, new(opened).open); err != nil {
			t.Fatalf("a port is lost: %v", err)
		}
	}
}

// reserving is a world with two relay ports of each family.
func reserving(t *testing.T) *world {
	t.Helper()
	c, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Skipf("LEFT OUT: relay ports that are kept, of both families: this machine has no IPv6 loopback address: %v", err)
	}
	_ = c.Close() // it was only a try
	ip := netip.MustParseAddr("127.0.0.1")
	low := foreign(t, ip, 4) + 1
	low += low % 2
	cfg := Config{Relay: []RelayAddr{{Bind: ip}, {Bind: netip.IPv6Loopback()}}, MinPort: low, MaxPort: low + 1}
	p, err := New(cfg, zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Path: p, t: t, ip: ip, control: &control{requests: make(chan Client, 100), gone: make(chan Client, 100)}}
	p.SetControl(w.control)
	w.listen()
	return w
}

// TestReservation: a token gets the next port of the same family, also when the allocation that reserved it has ended.
func TestReservation(t *testing.T) {
	for _, ipv6 := range []bool{false, true} {
		w, o := reserving(t), new(owner)
		first, err := w.Allocate(w.client(UDP).at, o, Ask{IPv6: ipv6, Keep: later()})
		if err != nil {
			t.Fatal(err)
		}
		token, ok := first.Reserved()
		if !ok {
			t.Fatal("no token")
		}
		relayed := first.Relayed()
		first.Close()
		if again, _ := first.Reserved(); again != token {
			t.Error("the token is another one now")
		}
		c := w.client(TCP)
		second, err := w.Allocate(c.at, o, Ask{Token: &token})
		if err != nil || second.Relayed() != netip.AddrPortFrom(relayed.Addr(), relayed.Port()+1) {
			t.Fatalf("IPv6 %v: %v beside %v", ipv6, err, relayed)
		}
		if _, ok := second.Reserved(); ok {
			t.Error("an allocation that a token got has one, too")
		}
		if w.At(second.Relayed()) != second {
			t.Error("nobody finds it")
		}
		second.Close()
		if _, err := w.Allocate(c.at, o, Ask{Token: &token}); !errors.Is(err, ErrToken) {
			t.Errorf("the token again: %v", err)
		}
	}
}

// TestReservationOfNoAllocation: where there is no allocation in the end, nothing is kept either, and a token is used up.
func TestReservationOfNoAllocation(t *testing.T) {
	w, o := reserving(t), new(owner)
	has := w.client(UDP)
	has.allocate(o)
	if _, err := w.Allocate(has.at, o, Ask{IPv6: true, Keep: later()}); !errors.Is(err, ErrExists) {
		t.Fatalf("a second allocation: %v", err)
	}
	c := w.client(UDP)
	pair, err := w.Allocate(c.at, o, Ask{IPv6: true, Keep: later()})
	if err != nil {
		t.Fatalf("the pair that was not given out: %v", err)
	}
	token, _ := pair.Reserved()
	if _, err := w.Allocate(has.at, o, Ask{Token: &token}); !errors.Is(err, ErrExists) {
		t.Errorf("a second allocation: %v", err)
	}
	next, err := w.Allocate(w.client(UDP).at, o, Ask{IPv6: true})
	if err != nil || next.Relayed().Port() != pair.Relayed().Port()+1 {
		t.Errorf("the port that was kept: %v", err)
	}
}

// TestReservationAndForeignPort: a port that is kept has no socket, so another program may have it; then a token gets nothing, and is used up.
func TestReservationAndForeignPort(t *testing.T) {
	w, o := reserving(t), new(owner)
	first, err := w.Allocate(w.client(UDP).at, o, Ask{Keep: later()})
	if err != nil {
		t.Fatal(err)
	}
	token, _ := first.Reserved()
	port := first.Relayed().Port() + 1
	other := openAll(w.ip, port, port)
	if other == nil {
		t.Fatal("the port that is kept is in use already")
	}
	c := w.client(UDP)
	if _, err := w.Allocate(c.at, o, Ask{Token: &token}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("another program has the port: %v", err)
	}
	w.check(other[0].Close())
	if _, err := w.Allocate(c.at, o, Ask{Token: &token}); !errors.Is(err, ErrToken) {
		t.Errorf("the token again: %v", err)
	}
	if _, err := w.Allocate(c.at, o, Ask{}); err != nil {
		t.Errorf("any port: %v", err)
	}
}

// TestReservationOfEndedStream: a client that went before it had its allocation leaves no port behind.
func TestReservationOfEndedStream(t *testing.T) {
	w, o := reserving(t), new(owner)
	c := w.client(TCP)
	w.check(c.Close())
	<-w.control.gone
	if _, err := w.Allocate(c.at, o, Ask{Keep: later()}); !errors.Is(err, ErrClosed) {
		t.Fatalf("a stream that ended: %v", err)
	}
	if _, err := w.Allocate(w.client(UDP).at, o, Ask{Keep: later()}); err != nil {
		t.Errorf("the pair that nobody got: %v", err)
	}
}
