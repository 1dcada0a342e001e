package tally

import (
	"net/netip"
	"regexp"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestReasonsAreNamed(t *testing.T) {
	form, seen := regexp.MustCompile(`^[a-z][a-z_]*$`), map[string]bool{"unknown": true}
	for r := range Reason(Reasons) {
		if name := r.String(); !form.MatchString(name) || seen[name] {
			t.Errorf("reason %d is called %q: want a name of its own in lower case and underscores", r, name)
		}
		seen[r.String()] = true
	}
	if got := reasons.String(); got != "unknown" {
		t.Errorf("what is no reason is called %q", got)
	}
}

func TestCounting(t *testing.T) {
	var c Counters
	const workers, rounds = 8, 1000
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				c.Up(2, 20)
				c.Down(1, 7)
				c.Drop(TooLong, 3)
				c.Allocated()
				c.Refuse(netip.MustParseAddr("192.0.2.1"))
				c.Snapshot()
			}
		})
	}
	wg.Wait()
	const n = workers * rounds
	want := Snapshot{
		Allocations: n, PacketsUp: 2 * n, BytesUp: 20 * n, PacketsDown: n, BytesDown: 7 * n,
		Refused: map[netip.Addr]uint64{netip.MustParseAddr("192.0.2.1"): n},
	}
	want.Drops[TooLong] = 3 * n
	if diff := cmp.Diff(want, c.Snapshot(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedPeersAreBounded(t *testing.T) {
	var c Counters
	for i := range 1000 {
		c.Refuse(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}))
	}
	for _, spelling := range []string{"192.0.0.1", "::ffff:192.0.0.1", "2002:c000:1::"} { // one that has an entry
		c.Refuse(netip.MustParseAddr(spelling))
	}
	s := c.Snapshot()
	if len(s.Refused) != MaxRefused || s.RefusedOthers != 1000-MaxRefused || s.Refused[netip.MustParseAddr("192.0.0.1")] != 4 {
		t.Errorf("%d peers have an entry, %d refusals have none, one peer has %d", len(s.Refused), s.RefusedOthers, s.Refused[netip.MustParseAddr("192.0.0.1")])
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	var c Counters
	peer := netip.MustParseAddr("192.0.2.1")
	c.Refuse(peer)
	if n := testing.AllocsPerRun(100, func() {
		c.Up(1, 1200)
		c.Down(1, 1200)
		c.Drop(RateLimited, 1)
		c.Refuse(peer)
	}); n != 0 {
		t.Errorf("%v allocations per packet, want none", n)
	}
}
