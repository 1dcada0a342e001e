package store

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openAt opens a store that is not running.
func openAt(t testing.TB, path string, cfg Config) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, cfg, zaptest.NewLogger(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs a store until the returned function is called, which may happen twice.
func start(t testing.TB, s *Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	return func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// running opens a store in an empty directory and runs it until the test ends.
func running(t testing.TB) *Store {
	t.Helper()
	s := openAt(t, filepath.Join(t.TempDir(), FileName), Default())
	t.Cleanup(start(t, s))
	return s
}

// writing is running without what deletes old rows, for tests that count transactions.
func writing(t testing.TB) *Store {
	t.Helper()
	s := openAt(t, filepath.Join(t.TempDir(), FileName), Default())
	ctx, cancel := context.WithCancel(context.Background())
	var committing, answering sync.WaitGroup
	committing.Go(func() { s.committer.run(ctx) })
	answering.Go(s.answers.run)
	t.Cleanup(func() {
		cancel()
		committing.Wait()
		s.answers.close()
		answering.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		s := running(t)
		return storetest.Subject{Store: s, Events: s.events}
	})
}

// events reads the outbox as it is stored, without the making of endpoints, with which tests begin.
func (s *Store) events(ctx context.Context) ([]storetest.Event, error) {
	rows, err := s.reader.db.QueryContext(ctx, "SELECT at, kind, domain, subject, coalesce(push, 0), coalesce(data, '') FROM event WHERE kind <> ? ORDER BY seq", outbox.Created)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []storetest.Event
	for rows.Next() {
		var e storetest.Event
		var at, kind int64
		if err := rows.Scan(&at, &kind, &e.Domain, &e.Subject, &e.Push, &e.Data); err != nil {
			return nil, err
		}
		e.At, e.Kind = direct.Time(at), string(outbox.TypeOf(kind))
		all = append(all, e)
	}
	return all, rows.Err()
}

func TestCloseWithoutRun(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), FileName), Default())
	called := make(chan error, 1)
	s.AdvancePushes(nil, func(_ []push.Outcome, err error) { called <- err })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-called; !errors.Is(err, ErrClosed) {
		t.Errorf("AdvancePushes = %v, want ErrClosed", err)
	}
	if err := s.RevokeToken(t.Context(), "tok_1"); !errors.Is(err, ErrClosed) {
		t.Errorf("RevokeToken = %v, want ErrClosed", err)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), FileName), Default(), zaptest.NewLogger(t), reg)
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, s)
	mustAccept(t, s, addEndpoint(t, s, "pc-1"), 1)
	stop()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, strings.TrimPrefix(f.GetName(), "signalbox_store_"))
		if f.GetName() == "signalbox_store_commits_total" && f.GetMetric()[0].GetCounter().GetValue() < 2 {
			t.Errorf("commits = %v, want one for each write", f.GetMetric())
		}
	}
	want := []string{
		"batch_operations", "commit_seconds", "commits_total", "database_bytes", "deleted_rows_total", "dropped_marks_total", "errors_total", "free_bytes", "missed_events_total", "queue_operations",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("metrics differ (-want +got):\n%s", diff)
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), FileName), Default(), zaptest.NewLogger(t), reg); err == nil {
		t.Error("a second store on one registry is not refused")
	}
}
