package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
)

// accountService returns a loaded service on a store.
func accountService(t testing.TB, s *Store) *account.Service {
	t.Helper()
	svc, err := account.New(account.Default(), s.Accounts())
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	return svc
}

func TestRetentionOfAccounts(t *testing.T) {
	s := writing(t) // what deletes old rows at the start may come late, and find those of this test
	k := addEndpoint(t, s, "pc-1")
	svc := accountService(t, s)
	now := time.Now()
	const n = retentionChunk + 10
	for range n {
		svc.Append(k, account.Message{With: "a@else.example", Stanza: []byte("<message/>"), At: now.Add(-31 * 24 * time.Hour)})
	}
	svc.Append(k, account.Message{With: "a@else.example", Stanza: []byte("<message/>"), At: now.Add(-29 * 24 * time.Hour)})
	for range n {
		svc.StoreOffline(k, account.Offline{Expires: now.Add(time.Minute)}, func(error) {}) // beyond the bound some are refused
	}
	if _, err := svc.SetItem(t.Context(), k, "a@else.example", "", nil); err != nil { // behind them
		t.Fatal(err)
	}
	counts := func() (archived, counted, offline int) {
		t.Helper()
		err := s.reader.db.QueryRow("SELECT (SELECT count(*) FROM archive), archived, (SELECT count(*) FROM offline) FROM account").Scan(&archived, &counted, &offline)
		if err != nil {
			t.Fatal(err)
		}
		return archived, counted, offline
	}
	if a, c, o := counts(); a != n+1 || c != a || o != account.Default().OfflineCount {
		t.Errorf("%d messages are archived, %d are counted, %d wait", a, c, o)
	}
	for _, step := range []struct {
		after             time.Duration
		archived, offline int
	}{{0, 1, account.Default().OfflineCount}, {2 * time.Minute, 1, 0}, {2 * 24 * time.Hour, 0, 0}} {
		if err := s.deleteOld(t.Context(), now.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		if a, c, o := counts(); a != step.archived || c != a || o != step.offline {
			t.Errorf("after %s: %d messages are archived, %d are counted, %d wait, want %d, %d", step.after, a, c, o, step.archived, step.offline)
		}
	}
}

// TestCacheHearsOfChangesWhoseCallerHasGone: who does not wait for a change has made it all the same, and what is kept in memory must know.
func TestCacheHearsOfChangesWhoseCallerHasGone(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	svc := accountService(t, s)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := svc.Block(gone, k, "a@else.example"); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := svc.SetItem(gone, k, "a@else.example", "", nil); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := svc.Unblock(t.Context(), k, "b@else.example"); err != nil { // behind them
		t.Fatal(err)
	}
	if !svc.IsBlocked(k, "a@else.example") {
		t.Error("a JID that is stored as blocked is not blocked")
	}
	if r, err := svc.Roster(t.Context(), k); err != nil || len(r.Items) != 1 {
		t.Errorf("Roster = %+v, %v, want the item", r, err)
	}
}

// TestAccountsSurviveARestart reads everything through a store that was opened anew.
func TestAccountsSurviveARestart(t *testing.T) {
	path := t.TempDir() + "/" + FileName
	s := openAt(t, path, Default())
	stop := start(t, s)
	k := addEndpoint(t, s, "pc-1")
	svc := accountService(t, s)
	if _, err := svc.SetItem(t.Context(), k, "a@else.example", "A", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Publish(t.Context(), k, "urn:node", account.NodeItem{ID: "i"}, account.Options{}); err != nil {
		t.Fatal(err)
	}
	id := svc.Append(k, account.Message{With: "a@else.example", Stanza: []byte("<message/>")})
	svc.StoreOffline(k, account.Offline{Stanza: []byte("<message/>")}, func(error) {})
	stop() // writes what is queued

	s = openAt(t, path, Default())
	t.Cleanup(start(t, s))
	svc = accountService(t, s)
	roster, err := svc.Roster(t.Context(), k)
	if err != nil || len(roster.Items) != 1 {
		t.Errorf("Roster = %+v, %v", roster, err)
	}
	if nodes, err := svc.Nodes(t.Context(), k); err != nil || len(nodes) != 1 {
		t.Errorf("Nodes = %+v, %v", nodes, err)
	}
	if n, err := svc.CountOffline(t.Context(), k); err != nil || n != 1 {
		t.Errorf("CountOffline = %d, %v", n, err)
	}
	if r, err := svc.Query(t.Context(), k, account.Filter{IDs: []account.ArchiveID{id}}, account.Page{Max: 1}); err != nil || r.Count != 1 {
		t.Errorf("Query = %+v, %v", r, err)
	}
}

// BenchmarkLogin is what a login with an empty account reads of it, and one with a roster of 100.
func BenchmarkLogin(b *testing.B) {
	s := running(b)
	svc := accountService(b, s)
	empty, full := addEndpoint(b, s, "pc-1"), addEndpoint(b, s, "pc-2")
	for i := range 100 {
		if _, err := svc.SetItem(b.Context(), full, string(rune('a'+i%26))+string(rune('a'+i/26))+"@else.example", "", nil); err != nil {
			b.Fatal(err)
		}
	}
	for name, key := range map[string]endpoint.Key{"empty": empty, "roster of 100": full} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := svc.Roster(b.Context(), key); err != nil {
					b.Fatal(err)
				}
				if _, err := svc.Pending(b.Context(), key); err != nil {
					b.Fatal(err)
				}
				if _, err := svc.Offline(b.Context(), key, 0, 10); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("empty, from the store", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Accounts().Roster(b.Context(), empty); err != nil {
				b.Fatal(err)
			}
		}
	})
}
