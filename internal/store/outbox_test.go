package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/internal/events"
)

func notice(t *testing.T, s *Store, n events.Notice) bool {
	t.Helper()
	if n.Type == "" {
		n.Type = events.ServerStarted
	}
	added, err := s.AddEvent(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// TestEventsWaitForTheirReaders has a reader that is behind: what it has not read stays beyond the retention, but not for ever, and what it misses is counted.
func TestEventsWaitForTheirReaders(t *testing.T) {
	s := running(t)
	now := time.Now()
	notice(t, s, events.Notice{})
	first, err := s.AddEventReader(t.Context(), "hook")
	if err != nil {
		t.Fatal(err)
	}
	for range retentionChunk + 2 {
		notice(t, s, events.Notice{})
	}
	newest := first + retentionChunk + 2
	const day = 24 * time.Hour
	step := func(name string, after time.Duration, deleted int64, missed float64) {
		t.Helper()
		if err := s.deleteOld(t.Context(), now.Add(after)); err != nil {
			t.Fatal(err)
		}
		b, err := s.EventBounds(t.Context())
		if want := (events.Bounds{Deleted: deleted, Newest: newest}); err != nil || b != want {
			t.Errorf("%s: bounds = %+v, %v, want %+v", name, b, err, want)
		}
		if got := testutil.ToFloat64(s.metrics.missedEvents); got != missed {
			t.Errorf("%s: %v missed events, want %v", name, got, missed)
		}
	}
	step("before the retention", 3*day-time.Hour, 0, 0)
	step("what was read", 3*day+time.Hour, first, 0)
	if err := s.MoveEventReader(t.Context(), "hook", first+2); err != nil {
		t.Fatal(err)
	}
	step("two more", 3*day+time.Hour, first+2, 0)
	if _, err := s.ReadEvents(t.Context(), first+1, 1); !errors.Is(err, events.ErrGone) {
		t.Errorf("ReadEvents behind an event that is gone but for the next: %v, want ErrGone", err)
	}
	if all, err := s.ReadEvents(t.Context(), first+2, 1); err != nil || len(all) != 1 || all[0].Seq != first+3 {
		t.Errorf("ReadEvents behind the last that is gone = %v, %v", all, err)
	}
	step("too late", 7*day+time.Hour, newest, retentionChunk)
	if _, err := s.ReadEvents(t.Context(), newest, 1); err != nil {
		t.Errorf("ReadEvents of somebody who has read all: %v", err)
	}
}

// TestEventNamesAreForgotten checks that what was written once can be written again when its time is over.
func TestEventNamesAreForgotten(t *testing.T) {
	s := running(t)
	now := time.Now()
	n := events.Notice{Type: events.CertExpiring, Once: "a", Until: now.Add(time.Hour)}
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {59 * time.Minute, false}, {61 * time.Minute, true}} {
		if err := s.deleteOld(t.Context(), now.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		if got := notice(t, s, n); got != step.want {
			t.Errorf("after %s: written = %v, want %v", step.after, got, step.want)
		}
	}
}

// TestWatchersAreTold checks that who waits looks again after a commit, and that who does not look holds nobody up.
func TestWatchersAreTold(t *testing.T) {
	s := openAt(t, t.TempDir()+"/"+FileName, Default())
	one, idle := s.WatchEvents(), s.WatchEvents()
	t.Cleanup(start(t, s))
	var seen int64
	for range 20 {
		notice(t, s, events.Notice{})
		for found := false; !found; {
			select {
			case <-one:
			case <-t.Context().Done():
				t.Fatal("the watcher was not told")
			}
			all, err := s.ReadEvents(context.Background(), seen, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				seen, found = e.Seq, true
			}
		}
	}
	if len(idle) != 1 {
		t.Errorf("%d tokens wait for who does not look, want one", len(idle))
	}
}
