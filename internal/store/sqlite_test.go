package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// exec runs statements on the writer's connection as one operation.
type exec []string

func (op exec) apply(t *tx) error {
	for _, query := range op {
		p := &preparer{conn: t.conn}
		s := p.prepare(query)
		if p.err != nil {
			return p.err
		}
		if _, err := s.row(make([]driver.Value, 1)); err != nil {
			return err
		}
	}
	return nil
}

func addEndpoint(t testing.TB, s *Store, id string) endpoint.Key {
	t.Helper()
	k := endpoint.Key{Domain: "push.example", ID: id}
	if err := s.CreateEndpoint(context.Background(), endpoint.Endpoint{Key: k, Enabled: true}, endpoint.Secret{}); err != nil {
		t.Fatal(err)
	}
	return k
}

func accept(s *Store, k endpoint.Key, payload int) (push.Status, error) {
	p := push.Push{To: k, Type: "demo.ping", TTL: time.Hour, Payload: make([]byte, payload)}
	return s.AcceptPush(context.Background(), push.Submission{Push: p})
}

func mustAccept(t testing.TB, s *Store, k endpoint.Key, payload int) push.Status {
	t.Helper()
	st, err := accept(s, k, payload)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestReopenKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", FileName)
	s := openAt(t, path, Default())
	stop := start(t, s)
	k := addEndpoint(t, s, "pc-1")
	first := mustAccept(t, s, k, 10)
	s.SavePresence(k, endpoint.Presence{State: endpoint.StateOnline})
	s.AdvancePushes([]push.Transition{{ID: first.ID, Key: k, To: push.Sent, At: first.Created}}, nil)
	token := access.Token{ID: "tok_1", Name: "n", Hash: [32]byte{1}, Scopes: []access.Scope{access.ScopeRead}}
	if err := s.CreateToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	gone := addEndpoint(t, s, "pc-2")
	last := mustAccept(t, s, gone, 1)
	if err := s.DeleteEndpoint(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	stop()

	s = openAt(t, path, Default())
	defer start(t, s)()
	st, err := s.Push(t.Context(), k.Domain, first.ID)
	if err != nil || st.State != push.Sent || !st.Created.Equal(first.Created) {
		t.Errorf("Push = %+v, %v, want the first push in state sent", st, err)
	}
	r, err := s.Endpoint(t.Context(), k)
	if err != nil || r.Presence.State != endpoint.StateOnline {
		t.Errorf("Endpoint = %+v, %v, want it online", r, err)
	}
	got, err := s.TokenByHash(t.Context(), token.Hash)
	if diff := cmp.Diff(token, got); err != nil || diff != "" {
		t.Errorf("TokenByHash = %v (-want +got):\n%s", err, diff)
	}
	if next := mustAccept(t, s, k, 1); next.ID <= last.ID {
		t.Errorf("id %d after the restart is not greater than %d, whose row is gone", next.ID, last.ID)
	}
	for file, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != want {
			t.Errorf("%s has mode %o, want %o", file, mode, want)
		}
	}
}

// TestIDsGrowWithTheCommits checks that a push posted after another's answer has the greater id, and that ids and events have one order.
func TestIDsGrowWithTheCommits(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	var mu sync.Mutex
	seen := map[push.ID]bool{}
	var newest push.ID
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 20 {
				mu.Lock()
				answered := newest
				mu.Unlock()
				st, err := accept(s, k, 8)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[st.ID] || st.ID <= answered {
					t.Errorf("id %d after %d was answered; seen before: %v", st.ID, answered, seen[st.ID])
				}
				seen[st.ID] = true
				newest = max(newest, st.ID)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	events, err := s.events(t.Context())
	if err != nil || len(events) != 640 {
		t.Fatalf("%d events, %v, want 640", len(events), err)
	}
	for i := 1; i < len(events); i++ {
		if events[i-1].Data >= events[i].Data { // the ids sort as text
			t.Fatalf("event %d is of %s, the one before of %s", i, events[i].Data, events[i-1].Data)
		}
	}
}

// TestCopyOfARunningDatabase opens what a crash would leave: everything that was answered must be there.
func TestCopyOfARunningDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := openAt(t, path, Default())
	defer start(t, s)()
	k := addEndpoint(t, s, "pc-1")
	var mu sync.Mutex
	var answered []push.ID
	halt, enough := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-halt:
					return
				default:
				}
				st, err := accept(s, k, 100)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				answered = append(answered, st.ID)
				if len(answered) == 300 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	mu.Lock()
	promised := append([]push.ID(nil), answered...)
	mu.Unlock()
	copied := filepath.Join(t.TempDir(), FileName)
	for _, suffix := range []string{"", "-wal"} { // the log last, as nothing is copied out of it meanwhile
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	close(halt)
	wg.Wait()

	c := openAt(t, copied, Default())
	defer start(t, c)()
	for _, id := range promised {
		if _, err := c.Push(t.Context(), k.Domain, id); err != nil {
			t.Fatalf("answered push %s: %v", id, err)
		}
	}
	if next := mustAccept(t, c, k, 1); next.ID <= promised[len(promised)-1] {
		t.Errorf("id %d is not greater than the last answered one", next.ID)
	}
}

// TestTwoProcessesWrite has two stores on one file, as the server and a command are.
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
	if n, err := stores[1].CountWaiting(t.Context(), k); n != 160 || err != nil {
		t.Errorf("CountWaiting = %d, %v, want 160", n, err)
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
	other, err := openConn(dsn(path, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	p := &preparer{conn: other}
	begin, rollback := p.prepare("BEGIN IMMEDIATE"), p.prepare("ROLLBACK")
	if p.err != nil {
		t.Fatal(p.err)
	}
	if err := begin.run(); err != nil {
		t.Fatal(err)
	}
	if _, err := accept(s, k, 1); !errors.Is(err, push.ErrBusy) {
		t.Errorf("AcceptPush = %v, want ErrBusy", err)
	}
	if n, err := s.CountWaiting(t.Context(), k); n != 0 || err != nil {
		t.Errorf("CountWaiting = %d, %v: reads go on", n, err)
	}
	if err := rollback.run(); err != nil {
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
		entries = append(entries, &entry{op: op, done: make(chan error, 1)})
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

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := openAt(t, path, Default())
	stop := start(t, s)
	if err := s.do(t.Context(), exec{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)"}); err != nil {
		t.Fatal(err)
	}
	stop()
	_, err := Open(t.Context(), path, Default(), zaptest.NewLogger(t), nil)
	if err == nil || !strings.Contains(err.Error(), "schema version 999") || !strings.Contains(err.Error(), "newer signalbox") {
		t.Errorf("Open = %v, want a sentence about the newer schema", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(file, FileName): "create the directory", file: "damaged", dir: "open the database"} {
		if _, err := Open(t.Context(), path, Default(), zaptest.NewLogger(t), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%s) = %v, want it to say %q", path, err, want)
		}
	}
	if _, err := Open(t.Context(), filepath.Join(dir, FileName), Config{}, zaptest.NewLogger(t), nil); err == nil || !strings.Contains(err.Error(), "retention: ") {
		t.Errorf("Open with a zero Config = %v, want its mistakes", err)
	}
}

func TestRetention(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	key := push.NewIdempotency("tok_1", "key", nil)
	p := push.Push{To: k, TTL: push.MaxTTL, Payload: []byte("{}")}
	keyed, err := s.AcceptPush(t.Context(), push.Submission{Push: p, Idempotency: &key})
	if err != nil {
		t.Fatal(err)
	}
	open := mustAccept(t, s, k, 10)
	late := mustAccept(t, s, k, 10)
	now := late.Created
	advanced := make(chan error, 1)
	s.AdvancePushes([]push.Transition{
		{ID: keyed.ID, Key: k, To: push.Delivered, At: now}, {ID: late.ID, Key: k, To: push.Delivered, At: now.Add(5 * 24 * time.Hour)},
	}, func(_ []push.Outcome, err error) { advanced <- err })
	if err := <-advanced; err != nil {
		t.Fatal(err)
	}
	const hour = time.Hour
	for _, step := range []struct {
		after                time.Duration
		pushes, keys, events int
	}{
		{24 * hour, 3, 1, 5}, {49 * hour, 3, 0, 5}, {73 * hour, 3, 0, 1}, {7*24*hour + hour, 2, 0, 1}, {12*24*hour + hour, 1, 0, 0},
	} {
		if err := s.deleteOld(t.Context(), now.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		var got [3]int
		for i, table := range retainedTables {
			if err := s.reader.db.QueryRow("SELECT count(*) FROM " + table).Scan(&got[i]); err != nil {
				t.Fatal(err)
			}
		}
		if want := [3]int{step.pushes, step.keys, step.events}; got != want {
			t.Errorf("after %s: pushes, keys, events = %v, want %v", step.after, got, want)
		}
	}
	if _, err := s.Push(t.Context(), k.Domain, open.ID); err != nil {
		t.Errorf("the open push is gone: %v", err)
	}
}

func TestRetentionInChunks(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	const n = 2*retentionChunk + 10
	var ts []push.Transition
	for range n {
		st := mustAccept(t, s, k, 0)
		ts = append(ts, push.Transition{ID: st.ID, Key: k, To: push.Cancelled, At: st.Created})
	}
	s.AdvancePushes(ts, nil)
	mustAccept(t, s, k, 0) // behind the mark
	if err := s.deleteOld(t.Context(), time.Now().Add(8*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	all, err := s.Pushes(t.Context(), k, "", 0, 1000)
	if err != nil || len(all) != 1 {
		t.Errorf("%d pushes are left, %v, want the open one", len(all), err)
	}
}

// TestQueriesUseIndexes fails when a hot query would read a whole table or sort.
func TestQueriesUseIndexes(t *testing.T) {
	s := running(t)
	for query, index := range map[string]string{
		queryWaiting:     "push_queue",
		queryCountOpen:   "COVERING INDEX push_queue",
		queryOfEndpoint:  "push_queue",
		queryResults:     "push_result",
		queryAccepted:    "push_expiry",
		queryInterrupted: "push_expiry",
		queryOldPushes:   "INTEGER PRIMARY KEY",
		queryUsage:       "COVERING INDEX push_queue",
		queryExpired:     "push_expiry",
		queryFindKey:     "idem_hash",
		queryOnline:      "presence_online",
	} {
		plan := explain(t, s, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "SCAN p\n") {
			t.Errorf("%s\ndoes not use %s:\n%s", query, index, plan)
		}
	}
	if plan := explain(t, s, queryWaiting); strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("the waiting queue is sorted:\n%s", plan)
	}
}

func explain(t *testing.T, s *Store, query string) string {
	t.Helper()
	rows, err := s.reader.db.Query("EXPLAIN QUERY PLAN "+query, make([]any, 8)...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&plan, detail)
	}
	return plan.String()
}

// TestAllocations keeps the cost of the hottest write in sight; most of it is the driver's.
func TestAllocations(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	if got := testing.AllocsPerRun(200, func() { mustAccept(t, s, k, 100) }); got > 90 {
		t.Errorf("AcceptPush makes %v allocations in a transaction of its own, want at most 90", got)
	}
}
