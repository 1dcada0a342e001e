package store

import (
	"context"
	"database/sql/driver"
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
	"signalbox/internal/store/direct"
)

// exec runs statements on the writer's connection as one operation.
type exec []string

func (op exec) apply(t *tx) error {
	for _, query := range op {
		p := &direct.Preparer{Conn: t.conn}
		s := p.Prepare(query)
		if p.Err != nil {
			return p.Err
		}
		if _, err := s.Row(make([]driver.Value, 1)); err != nil {
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
		if events[i-1].Push >= events[i].Push {
			t.Fatalf("event %d is of %s, the one before of %s", i, events[i].Push, events[i-1].Push)
		}
	}
}

// TestCopyOfARunningDatabase opens what a crash would leave: everything that was answered must be there.
func TestCopyOfARunningDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := openAt(t, path, Default())
	defer start(t, s)()
	if err := s.do(t.Context(), exec{"PRAGMA wal_autocheckpoint = 0"}); err != nil { // a file system's snapshot would not need it
		t.Fatal(err)
	}
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

// TestGapsInTheNumbersAreFilled: a database may have a later migration and lack one with a smaller number, which came with another part.
func TestGapsInTheNumbersAreFilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	s := openAt(t, path, Default())
	stop := start(t, s)
	for _, text := range []string{"DELETE FROM goose_db_version WHERE version_id = 110", "DROP TABLE fast_token"} {
		if err := s.do(t.Context(), exec{text}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	s = openAt(t, path, Default())
	defer start(t, s)()
	k := addEndpoint(t, s, "pc-1")
	tokens := endpoint.FastTokens{Mark: []byte{1}, Current: endpoint.FastToken{Seed: []byte{1}}}
	if err := s.SaveFastTokens(t.Context(), k, "a", tokens); err != nil {
		t.Errorf("SaveFastTokens = %v, want the table back", err)
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

// TestAllocations keeps the cost of the hottest write in sight; most of it is the driver's.
func TestAllocations(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	if got := testing.AllocsPerRun(200, func() { mustAccept(t, s, k, 100) }); got > 90 {
		t.Errorf("AcceptPush makes %v allocations in a transaction of its own, want at most 90", got)
	}
}
