package agent

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/login"
)

func TestBackoffBounds(t *testing.T) {
	lowest := func(int64) int64 { return 0 }
	highest := func(n int64) int64 { return n - 1 }
	lost := errors.New("lost")
	conflict := fmt.Errorf("x: %w", &login.StreamError{Condition: "conflict", Retry: -1})
	hint := &login.StreamError{Condition: "system-shutdown", Retry: 7 * time.Second}
	for _, tt := range []struct {
		name      string
		lived     time.Duration
		err       error
		prev      time.Duration
		low, high time.Duration
	}{
		{"first", 0, lost, 0, time.Second, 3 * time.Second},
		{"grows", 0, lost, 10 * time.Second, time.Second, 30 * time.Second},
		{"cap", 0, lost, time.Minute, time.Second, time.Minute},
		{"short life changes nothing", 59 * time.Second, lost, 10 * time.Second, time.Second, 30 * time.Second},
		{"long life begins anew", time.Minute, lost, time.Minute, time.Second, 3 * time.Second},
		{"conflict", time.Hour, conflict, 0, time.Minute, 2 * time.Minute},
		{"login refused", 0, fmt.Errorf("x: %w", ladder.New(ladder.NotAuthorized, "", nil)), 0, time.Minute, 2 * time.Minute},
		{"hint wins", 0, hint, time.Minute, 7 * time.Second, 8 * time.Second},
		{"hint wins over conflict", 0, &login.StreamError{Condition: "conflict", Retry: 2 * time.Second}, 0, 2 * time.Second, 3 * time.Second},
		{"shutdown without hint", 0, &login.StreamError{Condition: "system-shutdown", Retry: -1}, 0, time.Second, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			low := (&backoff{prev: tt.prev, random: lowest}).next(tt.lived, tt.err)
			high := (&backoff{prev: tt.prev, random: highest}).next(tt.lived, tt.err)
			if low != tt.low || high.Round(time.Microsecond) != tt.high {
				t.Errorf("between %v and %v, want %v and %v", low, high, tt.low, tt.high)
			}
		})
	}
}

// While somebody waits for the agent it comes back often enough for a minute's time to return, and no faster where it is refused or told to wait.
func TestBackoffWhileAwaited(t *testing.T) {
	b := backoff{random: rand.Int64N, awaited: func() bool { return true }}
	for range 1000 {
		if wait := b.next(0, errors.New("lost")); wait < baseWait || wait > awaitedWait {
			t.Fatalf("waits %v, want %v to %v", wait, baseWait, awaitedWait)
		}
	}
	for _, code := range []ladder.Reason{ladder.NotAuthorized, ladder.Throttled} {
		if wait := b.next(0, ladder.New(code, "", nil)); wait < throttledWait {
			t.Errorf("%s: waits %v", code.Code, wait)
		}
	}
}

// Whoever is refused, or shares an identity, comes back less and less often; a session that lasted, or another failure, ends that.
func TestBackoffOfTheRefused(t *testing.T) {
	refused := ladder.New(ladder.NotAuthorized, "", nil)
	conflict := &login.StreamError{Condition: "conflict", Retry: -1}
	throttled := ladder.New(ladder.Throttled, "", nil)
	now := &login.StreamError{Condition: "reset", Retry: 0}
	lost := errors.New("lost")
	type end struct {
		lived time.Duration
		err   error
		low   time.Duration
	}
	for _, tt := range []struct {
		name string
		ends []end
	}{
		{"wrong secret", []end{{0, refused, time.Minute}, {0, refused, 2 * time.Minute}, {0, refused, 4 * time.Minute}, {0, refused, 8 * time.Minute}, {0, refused, 8 * time.Minute}}},
		{"another failure between", []end{{0, refused, time.Minute}, {0, lost, time.Second}, {0, refused, time.Minute}}},
		{"cloned", []end{{2 * time.Minute, conflict, time.Minute}, {2 * time.Minute, conflict, 2 * time.Minute}, {2 * time.Minute, conflict, 4 * time.Minute}}},
		{"taken over once in a while", []end{{2 * time.Hour, conflict, time.Minute}, {2 * time.Hour, conflict, time.Minute}}},
		{"throttled", []end{{0, throttled, 10 * time.Second}, {0, throttled, 10 * time.Second}}},
		{"now, again and again", []end{{0, now, 0}, {0, now, time.Second}, {2 * time.Minute, now, 0}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := backoff{random: func(int64) int64 { return 0 }}
			for i, e := range tt.ends {
				if got := b.next(e.lived, e.err); got != e.low {
					t.Errorf("wait %d = %v, want %v at least", i+1, got, e.low)
				}
			}
		})
	}
}

// A server that is gone for long is not asked more often than about twice a minute, and a fleet does not come in step.
func TestBackoffSettles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := backoff{random: rng.Int64N}
	var sum time.Duration
	seen := map[time.Duration]bool{}
	for i := range 1000 {
		d := b.next(0, errors.New("lost"))
		if d < baseWait || d > maxWait {
			t.Fatalf("wait %d = %v", i, d)
		}
		sum += d
		seen[d] = true
	}
	if mean := sum / 1000; mean < 15*time.Second || len(seen) < 500 {
		t.Errorf("mean wait %v, %d different ones", mean, len(seen))
	}
}
