package technician

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var (
	start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	home  = sourceOf(netip.MustParseAddr("192.0.2.1"))
)

func addressOf(i int) netip.Prefix {
	return sourceOf(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}))
}

// TestThrottleBacksOff: after some failures each further attempt waits for twice as long, which ends at a bound, with a success, and when it was left alone for long.
func TestThrottleBacksOff(t *testing.T) {
	th, now := newThrottle(), start
	for i := range limitPair.free {
		if n, wait := th.begin(now, "ada", home); n != i+1 || wait != 0 {
			t.Fatalf("attempt %d: %d failures, wait %v", i, n, wait)
		}
	}
	for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
		if _, wait := th.begin(now, "ada", home); wait != want {
			t.Errorf("wait = %v, want %v", wait, want)
		}
		now = now.Add(want)
		if _, wait := th.begin(now, "ada", home); wait != 0 {
			t.Errorf("after %v it has to wait for %v more", want, wait)
		}
	}
	if _, wait := th.begin(now, "grace", home); wait != 0 {
		t.Errorf("another name waits for %v", wait)
	}
	if _, wait := th.begin(now, "ada", addressOf(1)); wait != 0 {
		t.Errorf("another place waits for %v", wait)
	}
	th.succeeded(now, "ada", home)
	if n, wait := th.begin(now, "ada", home); n != 1 || wait != 0 {
		t.Errorf("after a success: %d failures, wait %v", n, wait)
	}
	for range 100 {
		_, wait := th.begin(now, "ada", home)
		now = now.Add(wait)
	}
	if _, wait := th.begin(now, "ada", home); wait > limitPair.most {
		t.Errorf("wait = %v, at most %v", wait, limitPair.most)
	}
	if n, wait := th.begin(now.Add(forgetAfter+limitPair.most+time.Second), "ada", home); n != 1 || wait != 0 {
		t.Errorf("after it was left alone: %d failures, wait %v", n, wait)
	}
}

// TestThrottleOfSource: one place cannot try many names.
func TestThrottleOfSource(t *testing.T) {
	th := newThrottle()
	for i := range limitSource.free {
		if _, wait := th.begin(start, fmt.Sprint("name", i), home); wait != 0 {
			t.Fatalf("attempt %d waits for %v", i, wait)
		}
	}
	if _, wait := th.begin(start, "another", home); wait == 0 {
		t.Error("one place tries as many names as it likes")
	}
}

// TestThrottleOfName: many places cannot try one name, and cannot lock out who has signed in before.
func TestThrottleOfName(t *testing.T) {
	th := newThrottle()
	th.succeeded(start, "ada", home)
	for i := range limitName.free {
		if _, wait := th.begin(start, "ada", addressOf(i)); wait != 0 {
			t.Fatalf("attempt %d waits for %v", i, wait)
		}
	}
	if _, wait := th.begin(start, "ada", addressOf(1000)); wait == 0 {
		t.Error("many places try one name as often as they like")
	}
	if _, wait := th.begin(start, "ada", home); wait != 0 {
		t.Errorf("who has signed in from there before waits for %v", wait)
	}
	if _, wait := th.begin(start.Add(limitName.most), "ada", addressOf(1001)); wait != 0 {
		t.Errorf("everybody else waits for more than %v", limitName.most)
	}
}

// TestThrottleCountsUnderWay: attempts at the same time count before it is known that they fail.
func TestThrottleCountsUnderWay(t *testing.T) {
	th := newThrottle()
	let := 0
	for range 100 {
		if _, wait := th.begin(start, "ada", home); wait == 0 {
			let++
		}
	}
	if let != limitPair.free {
		t.Errorf("%d attempts at the same time, want %d", let, limitPair.free)
	}
	th.undo("ada", home)
	if n, wait := th.begin(start, "ada", home); n != limitPair.free || wait != 0 {
		t.Errorf("after one was taken back: %d failures, wait %v", n, wait)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	th := newThrottle()
	for i := range 3 * maxCounted {
		th.begin(start.Add(time.Duration(i)*time.Millisecond), fmt.Sprint("name", i), addressOf(i))
		th.succeeded(start.Add(time.Duration(i)*time.Millisecond), fmt.Sprint("good", i), addressOf(i))
	}
	if len(th.pairs) > maxCounted || len(th.sources) > maxCounted || len(th.names) > maxCounted || len(th.good) > maxPlaces {
		t.Errorf("%d pairs, %d sources, %d names, %d good", len(th.pairs), len(th.sources), len(th.names), len(th.good))
	}
	last := 3*maxCounted - 1
	if _, there := th.pairs[pair{fmt.Sprint("name", last), addressOf(last)}]; !there {
		t.Error("the newest is forgotten")
	}
}

func TestSourceOf(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := sourceOf(netip.MustParseAddr(text)); got.String() != want {
			t.Errorf("sourceOf(%s) = %s, want %s", text, got, want)
		}
	}
	if got := sourceOf(netip.Addr{}); got.IsValid() {
		t.Errorf("sourceOf nothing = %v", got)
	}
}
