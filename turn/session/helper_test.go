package session

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/turn/control"
	"signalbox/turn/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that moves when it is told to.
type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(1_800_000_000, c.Load()) }

func (c *clock) pass(d time.Duration) { c.Add(int64(d)) }

// allocation is one that a data path would have made.
type allocation struct {
	relayed netip.AddrPort
	closed  atomic.Bool
	onClose func()
	once    sync.Once
}

func (a *allocation) Relayed() netip.AddrPort { return a.relayed }

func (a *allocation) Close() {
	a.once.Do(func() {
		if a.onClose != nil {
			a.onClose()
		}
		a.closed.Store(true)
	})
}

func at(text string) *allocation { return &allocation{relayed: netip.MustParseAddrPort(text)} }

// world is a table with a clock.
type world struct {
	*Table
	clock *clock
	t     *testing.T
}

func newWorld(t *testing.T, l Limits, c policy.Config) world {
	t.Helper()
	w := world{clock: new(clock), t: t}
	if c.Local == nil {
		c.Local = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("203.0.113.1")} }
	}
	w.Table = NewTable(l, policy.New(c), w.clock.now)
	return w
}

// open opens a session that ends in a minute, and returns its sides.
func (w world) open(s control.Session) (a, b *Side) {
	w.t.Helper()
	s.Expires = w.clock.now().Add(time.Minute)
	if err := w.Open(s); err != nil {
		w.t.Fatal(err)
	}
	a, b = w.Side(s.ID, control.SideA), w.Side(s.ID, control.SideB)
	if a == nil || b == nil {
		w.t.Fatalf("session %s has the sides %v and %v", s.ID, a, b)
	}
	return a, b
}

// reserve takes n allocations, and returns what gives them back.
func reserve(t *testing.T, s *Side, n int) (release []func()) {
	t.Helper()
	for range n {
		r, err := s.Reserve()
		if err != nil {
			t.Fatal(err)
		}
		release = append(release, r)
	}
	return release
}
