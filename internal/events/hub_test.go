package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs test in virtual time with a hub that runs on a store in memory.
func bubble(t *testing.T, cfg Config, test func(t *testing.T, h *Hub, m *memory)) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		h, err := NewHub(cfg, m, zap.NewNop(), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := h.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		defer wg.Wait()
		defer cancel()
		test(t, h, m)
	})
}

func follow(t *testing.T, h *Hub, after int64, f Filter) *Follower {
	t.Helper()
	one, err := h.Follow(t.Context(), after, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Close)
	return one
}

// collect returns the numbers of the next events until there were n or nothing came for a while.
func collect(t *testing.T, f *Follower, n int) (seqs []int64) {
	t.Helper()
	for len(seqs) < n {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		some, err := f.Next(ctx, 100)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return seqs
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range some {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

func TestFollow(t *testing.T) {
	bubble(t, Default(), func(t *testing.T, h *Hub, m *memory) {
		m.add(0, Event{Type: ServerStarted}, Event{Type: EndpointOnline, Domain: "a", Endpoint: "pc-1"})
		now, start, second := follow(t, h, FromNow, Filter{}), follow(t, h, FromStart, Filter{}), follow(t, h, 1, Filter{})
		m.add(5, Event{Type: EndpointDetached}, Event{Type: EndpointOffline, Domain: "a", Endpoint: "pc-1"})
		for _, tc := range []struct {
			name string
			f    *Follower
			want []int64
		}{{"from now", now, []int64{9}}, {"from the start", start, []int64{1, 2, 9}}, {"behind the first", second, []int64{2, 9}}} {
			if diff := cmp.Diff(tc.want, collect(t, tc.f, 4)); diff != "" {
				t.Errorf("%s: numbers (-want +got):\n%s", tc.name, diff)
			}
			if tc.f.Seen() != 9 {
				t.Errorf("%s: has seen %d, want all up to 9", tc.name, tc.f.Seen())
			}
		}
	})
}

// TestQuietIsSeen: whoever selects little still gets further, so that he can come back although what he has not selected was deleted.
func TestQuietIsSeen(t *testing.T) {
	bubble(t, Default(), func(t *testing.T, h *Hub, m *memory) {
		f := follow(t, h, FromNow, Filter{Types: []string{"cert.*"}})
		m.add(0, Event{Type: EndpointResumed}, Event{Type: PushSent})
		if got := collect(t, f, 1); got != nil || f.Seen() != 2 {
			t.Errorf("got %v, seen %d, want nothing and 2", got, f.Seen())
		}
	})
}

func TestFollowRefused(t *testing.T) {
	bubble(t, Config{Followers: 1, Heartbeat: time.Second}, func(t *testing.T, h *Hub, m *memory) {
		m.add(0, Event{Type: ServerStarted}, Event{Type: ServerStarted}, Event{Type: ServerStarted})
		m.forget(2)
		for _, after := range []int64{0, 1, 4} {
			if _, err := h.Follow(t.Context(), after, Filter{}); !errors.Is(err, ErrGone) {
				t.Errorf("Follow behind %d = %v, want ErrGone", after, err)
			}
			if _, _, err := h.Page(t.Context(), after, Filter{}, 1); !errors.Is(err, ErrGone) {
				t.Errorf("Page behind %d = %v, want ErrGone", after, err)
			}
		}
		one := follow(t, h, 2, Filter{})
		if _, err := h.Follow(t.Context(), FromNow, Filter{}); !errors.Is(err, ErrFull) {
			t.Errorf("a second follower: %v, want ErrFull", err)
		}
		one.Close()
		one.Close()
		follow(t, h, FromNow, Filter{}).Close()
	})
}

// TestSlowFollower is further behind than what is in memory, and gets everything once all the same.
func TestSlowFollower(t *testing.T) {
	bubble(t, Default(), func(t *testing.T, h *Hub, m *memory) {
		slow, fast := follow(t, h, FromNow, Filter{}), follow(t, h, FromNow, Filter{})
		const n = 3 * recentEvents
		for range n / 100 {
			m.add(1, make100(PushSent)...)
		}
		if got := collect(t, fast, n/100*100); len(got) != n/100*100 {
			t.Fatalf("the fast one got %d events, want %d", len(got), n/100*100)
		}
		got := collect(t, slow, n)
		if len(got) != n/100*100 {
			t.Errorf("the slow one got %d events, want %d", len(got), n/100*100)
		}
		for i := 1; i < len(got); i++ {
			if got[i] <= got[i-1] {
				t.Fatalf("number %d came behind %d", got[i], got[i-1])
			}
		}
		if caught := testutil.ToFloat64(h.metrics.caughtUp); caught < n/2 {
			t.Errorf("%v events were read for who was behind", caught)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.recent.events) > recentEvents {
			t.Errorf("%d events in memory, at most %d are allowed", len(h.recent.events), recentEvents)
		}
	})
}

func make100(t Type) []Event {
	all := make([]Event, 100)
	for i := range all {
		all[i].Type = t
	}
	return all
}

// TestMemoryIsBounded has events that are long.
func TestMemoryIsBounded(t *testing.T) {
	bubble(t, Default(), func(t *testing.T, h *Hub, m *memory) {
		f := follow(t, h, FromNow, Filter{})
		long, err := json.Marshal(string(make([]byte, 50_000)))
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			m.add(0, Event{Type: PushHandled, Data: long})
		}
		if got := collect(t, f, 100); len(got) != 100 {
			t.Errorf("got %d events, want 100", len(got))
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.recent.bytes > recentBytes || len(h.recent.events) == 0 {
			t.Errorf("%d bytes of %d events in memory, at most %d are allowed", h.recent.bytes, len(h.recent.events), recentBytes)
		}
	})
}

// TestFollowerThatMissedSome was away while what it had not seen was deleted.
func TestFollowerThatMissedSome(t *testing.T) {
	bubble(t, Default(), func(t *testing.T, h *Hub, m *memory) {
		slow, fast := follow(t, h, FromNow, Filter{}), follow(t, h, FromNow, Filter{})
		for range recentEvents/100 + 2 {
			m.add(0, make100(PushSent)...)
		}
		collect(t, fast, recentEvents+100)
		m.forget(50)
		if _, err := slow.Next(t.Context(), 10); !errors.Is(err, ErrGone) {
			t.Errorf("Next of who missed some = %v, want ErrGone", err)
		}
	})
}

// TestHubThatMissedSome could not read for so long that what it wanted was deleted: who follows hears of it, and the hub goes on.
func TestHubThatMissedSome(t *testing.T) {
	bubble(t, Default(), func(t *testing.T, h *Hub, m *memory) {
		f := follow(t, h, FromNow, Filter{})
		synctest.Wait()
		m.set(errors.New("disk"))
		m.add(0, make100(PushSent)...)
		if got := collect(t, f, 1); got != nil {
			t.Errorf("got %v from a store that cannot be read", got)
		}
		m.forget(99)
		m.set(nil)
		if _, err := f.Next(t.Context(), 10); !errors.Is(err, ErrGone) {
			t.Errorf("Next = %v, want ErrGone", err)
		}
		f = follow(t, h, FromNow, Filter{})
		m.add(0, Event{Type: PushSent})
		if got := collect(t, f, 1); len(got) != 1 || got[0] != 101 {
			t.Errorf("got %v, want 101", got)
		}
	})
}

func TestFailedReadsAreTriedAgain(t *testing.T) {
	bubble(t, Default(), func(t *testing.T, h *Hub, m *memory) {
		f := follow(t, h, FromNow, Filter{})
		m.set(errors.New("disk"))
		m.add(0, Event{Type: PushSent})
		before := time.Now()
		time.AfterFunc(3500*time.Millisecond, func() { m.set(nil) })
		if got := collect(t, f, 1); len(got) != 1 || time.Since(before) > 5*time.Second {
			t.Errorf("got %v after %s, want the event within a second", got, time.Since(before))
		}
	})
}

// TestIdleHubReadsNothing: without followers the outbox is left alone.
func TestIdleHubReadsNothing(t *testing.T) {
	bubble(t, Default(), func(t *testing.T, h *Hub, m *memory) {
		follow(t, h, FromNow, Filter{}).Close()
		synctest.Wait()
		before := m.count()
		for range 50 {
			m.add(0, Event{Type: PushSent})
			synctest.Wait()
		}
		if got := m.count(); got != before {
			t.Errorf("%d reads though nobody follows", got-before)
		}
	})
}

func TestStopEndsFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := NewHub(Default(), newMemory(), zap.NewNop(), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = h.Run(ctx) })
		f := follow(t, h, FromNow, Filter{})
		time.AfterFunc(time.Minute, cancel)
		if _, err := f.Next(t.Context(), 1); !errors.Is(err, ErrStopped) {
			t.Errorf("Next = %v, want ErrStopped", err)
		}
		wg.Wait()
		if _, err := h.Follow(t.Context(), FromNow, Filter{}); !errors.Is(err, ErrStopped) {
			t.Errorf("Follow = %v, want ErrStopped", err)
		}
	})
}

// TestManyFollowers come, wait, are slow, leave and come back where they were while events flow: each gets every event that it selects exactly once and in order.
func TestManyFollowers(t *testing.T) {
	bubble(t, Default(), func(t *testing.T, h *Hub, m *memory) {
		const events, followers = 20_000, 8
		types := []Type{PushSent, PushDelivered, EndpointOnline}
		var wg sync.WaitGroup
		for i := range followers {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(1, uint64(i)))
				filter, step := Filter{}, 1
				if i%2 == 1 {
					filter, step = Filter{Types: []string{"endpoint.*"}}, len(types)
				}
				if err := churn(t, h, rnd, filter, events, step); err != nil {
					t.Errorf("follower %d: %v", i, err)
				}
			})
		}
		for i := range events {
			m.add(0, Event{Type: types[i%len(types)]})
			if i%97 == 0 {
				time.Sleep(time.Duration(i%13) * time.Millisecond)
			}
		}
		wg.Wait()
	})
}

// churn follows until events were seen; every step-th is selected.
func churn(t *testing.T, h *Hub, rnd *rand.Rand, filter Filter, events int64, step int) error {
	seen, last := int64(0), int64(0)
	for seen < events-int64(step) {
		f, err := h.Follow(t.Context(), seen, filter)
		if err != nil {
			return err
		}
		for range rnd.IntN(20) + 1 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			some, err := f.Next(ctx, rnd.IntN(300)+1)
			cancel()
			if err != nil {
				break
			}
			for _, e := range some {
				if want := last + int64(step); e.Seq != want {
					return fmt.Errorf("got %d behind %d, want %d", e.Seq, last, want)
				}
				last = e.Seq
			}
			time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
		}
		seen = f.Seen()
		f.Close()
	}
	return nil
}

func TestPage(t *testing.T) {
	bubble(t, Default(), func(t *testing.T, h *Hub, m *memory) {
		for i := range 60 {
			m.add(0, make100(PushSent)...)
			if i%20 == 0 {
				m.add(0, Event{Type: CertChanged})
			}
		}
		var got []int64
		pages := 0
		for next := FromStart; ; pages++ {
			some, to, err := h.Page(t.Context(), next, Filter{Types: []string{"cert.changed"}}, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range some {
				got = append(got, e.Seq)
			}
			if to == next {
				break
			}
			next = to
		}
		if diff := cmp.Diff([]int64{101, 2102, 4103}, got); diff != "" || pages > 5 {
			t.Errorf("%d pages with numbers (-want +got):\n%s", pages, diff)
		}
		some, next, err := h.Page(t.Context(), FromNow, Filter{}, 2)
		if err != nil || some != nil || next != m.last {
			t.Errorf("Page from now = %v, %d, %v, want the newest number", some, next, err)
		}
		some, next, err = h.Page(t.Context(), 100, Filter{}, 2)
		if err != nil || len(some) != 2 || next != 102 {
			t.Errorf("Page behind 100 = %v, %d, %v", some, next, err)
		}
	})
}
