package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

// TestTwoProcessesWrite has two stores on one file, as the server and a command are. Only the server writes pushes; where both do, nothing is lost all the same.
func TestTwoProcessesWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	var stores [2]*Store
	for i := range stores {
		stores[i] = openAt(t, path, Default())
		defer start(t, stores[i])()
	}
	k := addEndpoint(t, stores[0], "pc-1")
	var mu sync.Mutex
	seen := map[push.ID]bool{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				st, err := accept(stores[i%2], k, 8)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[st.ID] {
					t.Errorf("id %d was given out twice", st.ID)
				}
				seen[st.ID] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	third := openAt(t, path, Default())
	defer start(t, third)()
	if n, err := third.CountWaiting(t.Context(), k); n != 160 || err != nil {
		t.Errorf("CountWaiting in a store that was opened later = %d, %v, want 160", n, err)
	}
}

func TestDatabaseHeldByAnother(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	if err := s.do(t.Context(), exec{"PRAGMA busy_timeout = 1"}); err != nil {
		t.Fatal(err)
	}
	var path string
	if err := s.reader.db.QueryRow("SELECT file FROM pragma_database_list").Scan(&path); err != nil {
		t.Fatal(err)
	}
	other, err := direct.Open(dsn(path, map[string]string{"busy_timeout": busyTimeout}))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	p := &direct.Preparer{Conn: other}
	begin, rollback := p.Prepare("BEGIN IMMEDIATE"), p.Prepare("ROLLBACK")
	if p.Err != nil {
		t.Fatal(p.Err)
	}
	if err := begin.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := accept(s, k, 1); !errors.Is(err, push.ErrBusy) {
		t.Errorf("AcceptPush = %v, want ErrBusy", err)
	}
	if n, err := s.CountWaiting(t.Context(), k); n != 0 || err != nil {
		t.Errorf("CountWaiting = %d, %v: reads go on", n, err)
	}
	if err := rollback.Run(); err != nil {
		t.Fatal(err)
	}
	mustAccept(t, s, k, 1)
}

// fillUntilFull posts until there is no space and returns what was accepted.
func fillUntilFull(t *testing.T, s *Store, k endpoint.Key) int {
	t.Helper()
	for n := range 10_000 {
		if _, err := accept(s, k, 32<<10); err != nil {
			if !errors.Is(err, push.ErrNoSpace) {
				t.Fatalf("push %d: %v, want ErrNoSpace", n, err)
			}
			return n
		}
	}
	t.Fatal("the disk does not get full")
	return 0
}

func TestFullDatabase(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	if err := s.do(t.Context(), exec{"PRAGMA max_page_count = 200"}); err != nil {
		t.Fatal(err)
	}
	accepted := fillUntilFull(t, s, k)
	if err := s.Ready(t.Context()); !errors.Is(err, push.ErrNoSpace) {
		t.Errorf("Ready = %v, want ErrNoSpace", err)
	}
	if n, err := s.CountWaiting(t.Context(), k); n != accepted || err != nil {
		t.Errorf("CountWaiting = %d, %v, want the %d accepted ones", n, err, accepted)
	}
	if err := s.do(t.Context(), exec{"PRAGMA max_page_count = 100000"}); err != nil {
		t.Fatal(err)
	}
	mustAccept(t, s, k, 32<<10)
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v, want nil", err)
	}
}

func TestBadOperationInARealBatch(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), FileName), Default())
	var entries []*entry
	for i := range 20 {
		k := endpoint.Key{Domain: "push.example", ID: fmt.Sprint("pc-", i)}
		var op operation = &createEndpoint{endpoint: endpoint.Endpoint{Key: k, Enabled: true}}
		if i == 7 {
			op = exec{"INSERT INTO meta (one, last_push, last_event, probes) VALUES (1, 0, 0, 0)"}
		}
		entries = append(entries, &entry{op: op, size: 1, done: make(chan error, 1)})
		if err := s.queue.put(entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	defer start(t, s)()
	for i, e := range entries {
		if err := <-e.done; (err != nil) != (i == 7) {
			t.Errorf("operation %d = %v", i, err)
		}
	}
	all, err := s.Endpoints(t.Context(), endpoint.Query{Domain: "push.example", Limit: 100})
	if err != nil || len(all) != 19 {
		t.Errorf("%d endpoints, %v, want 19", len(all), err)
	}
}
