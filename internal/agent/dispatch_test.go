package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/agent/journal"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
)

// bench is a dispatcher over a journal with handlers made for the test.
type bench struct {
	j    *journal.Journal
	d    *dispatcher
	mu   sync.Mutex
	done []string
}

func newBench(t *testing.T, dir string, concurrency int, hs map[string]handler) *bench {
	t.Helper()
	b := &bench{j: mustOpen(t, dir)}
	b.d = newDispatcher(b.j, newHandlers(nil, hs), concurrency, 10*time.Second, func(id string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.done = append(b.done, id)
	}, zap.NewNop())
	return b
}

func (b *bench) finished() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.done...)
}

func ok(context.Context, Push) (Result, bool) { return Result{OK: true}, true }

func TestDispatchOrderAndConcurrency(t *testing.T) {
	for _, concurrency := range []int{1, 3} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				running, most := 0, 0
				b := newBench(t, t.TempDir(), concurrency, map[string]handler{"work": {run: func(context.Context, Push) (Result, bool) {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					running--
					mu.Unlock()
					return Result{OK: true}, true
				}}})
				ctx, cancel := context.WithCancel(t.Context())
				stopped := make(chan error)
				go func() { stopped <- b.d.Run(ctx) }()
				var want []string
				for i := range 7 {
					id := fmt.Sprint(i)
					receive(t, b.j, Push{ID: id, Type: "work"})
					b.d.Add(id)
					want = append(want, id)
				}
				time.Sleep(time.Minute)
				cancel()
				must(t, <-stopped)
				if most != concurrency {
					t.Errorf("%d handlers ran at once, want %d", most, concurrency)
				}
				if got := b.finished(); concurrency == 1 && !cmp.Equal(got, want) || len(got) != len(want) {
					t.Errorf("finished %v, want %v", got, want)
				}
			})
		})
	}
}

func TestDispatchAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, t.TempDir(), 2, map[string]handler{"good": {run: ok}})
		now := time.Now()
		for _, p := range []Push{
			{ID: "good", Type: "good", Expires: now.Add(time.Second)},
			{ID: "unknown", Type: "unknown"},
			{ID: "late", Type: "good", Expires: now},
		} {
			receive(t, b.j, p)
			b.d.Add(p.ID)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- b.d.Run(ctx) }()
		synctest.Wait()
		cancel()
		must(t, <-stopped)
		want := map[string]Result{
			"good":    {OK: true},
			"unknown": {JSON: json.RawMessage(`{"reason":"no_handler"}`)},
			"late":    {JSON: json.RawMessage(`{"reason":"expired_at_endpoint"}`)},
		}
		if diff := cmp.Diff(want, look(t, b.j).Results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

// At the end, what runs may end within the grace period; what does not stays started, what waits stays received.
func TestDispatchStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := func(d time.Duration) func(context.Context, Push) (Result, bool) {
			return func(ctx context.Context, _ Push) (Result, bool) {
				select {
				case <-time.After(d):
					return Result{OK: true}, true
				case <-ctx.Done():
					return Result{}, false
				}
			}
		}
		b := newBench(t, t.TempDir(), 2, map[string]handler{"short": {run: until(5 * time.Second)}, "long": {run: until(time.Hour)}})
		for _, p := range []Push{{ID: "1", Type: "short"}, {ID: "2", Type: "long"}, {ID: "3", Type: "short"}} {
			receive(t, b.j, p)
			b.d.Add(p.ID)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		must(t, b.d.Run(ctx))
		if took := time.Since(began); took != 11*time.Second {
			t.Errorf("Run took %v, want 1s and the grace period of 10s", took)
		}
		want := map[string]journal.Phase{"1": journal.Done, "2": journal.Started, "3": journal.Received}
		if diff := cmp.Diff(want, look(t, b.j).Phases); diff != "" {
			t.Errorf("phases (-want +got):\n%s", diff)
		}
	})
}

func TestTakeUpAfterCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := mustOpen(t, dir)
		for _, p := range []Push{
			{ID: "received", Type: "good"}, {ID: "started", Type: "good"}, {ID: "again", Type: "repeatable"},
			{ID: "done", Type: "good"}, {ID: "gone", Type: "no-longer-configured"},
		} {
			receive(t, j, p)
			if p.ID != "received" {
				must(t, j.Start(p.ID, testTime))
			}
		}
		must(t, j.Done("done", Result{OK: true, JSON: json.RawMessage(`1`)}, testTime))
		must(t, j.Close())

		var mu sync.Mutex
		var ran []string
		note := func(_ context.Context, p Push) (Result, bool) {
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, p.ID)
			return Result{OK: true}, true
		}
		b := newBench(t, dir, 1, map[string]handler{"good": {run: note}, "repeatable": {run: note, repeatable: true}})
		must(t, b.d.takeUp())
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- b.d.Run(ctx) }()
		synctest.Wait()
		cancel()
		must(t, <-stopped)
		if want := []string{"received", "again"}; !cmp.Equal(ran, want) {
			t.Errorf("ran %v, want %v", ran, want)
		}
		interrupted := Result{JSON: json.RawMessage(`{"reason":"interrupted"}`)}
		want := map[string]Result{"received": {OK: true}, "again": {OK: true}, "started": interrupted, "gone": interrupted,
			"done": {OK: true, JSON: json.RawMessage(`1`)}}
		if diff := cmp.Diff(want, look(t, b.j).Results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

func TestDispatchEndsWhenJournalFails(t *testing.T) {
	b := newBench(t, t.TempDir(), 1, map[string]handler{"good": {run: ok}})
	receive(t, b.j, Push{ID: "1", Type: "good"})
	must(t, b.j.Close())
	b.d.Add("1")
	if err := b.d.Run(t.Context()); err == nil {
		t.Error("Run = nil, want the journal's error")
	}
}
