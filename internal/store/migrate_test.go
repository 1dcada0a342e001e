package store

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"signalbox/internal/push"
	"signalbox/internal/store/storetest"
)

// TestEventsOfTheFirstSchema opens a database whose events still hold texts, of an endpoint that is there and of one that is gone.
func TestEventsOfTheFirstSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	pool, err := openDB(dsn(path, map[string]string{"journal_mode": "WAL"}))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, pool, dir, goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Minute).Truncate(time.Microsecond).UTC()
	for _, statement := range []string{
		`INSERT INTO endpoint (num, domain, id, enabled, created, updated, labels, groups, secret) VALUES (7, 'push.example', 'pc-1', 1, 0, 0, '{"site":"paris"}', '["lab"]', '{}')`,
		`INSERT INTO push VALUES (5, 7, 0, 1, 0, 1, 0, 2, ?1, ?1 + 86400000000, 0, 'x', x'0000060a24181e400000', NULL)`,
		`INSERT INTO push_body VALUES (5, x'7b7d')`,
		`INSERT INTO outbox VALUES (1, ?1, 'presence.online', 'push.example', 'gone', '{}'),
			(2, ?1, 'endpoint.deleted', 'push.example', 'gone', '{}'),
			(3, ?1, 'push.accepted', 'push.example', 'pc-1', '{"push":"psh_0000000000005"}')`,
		`UPDATE meta SET last_push = 5, last_event = 3`,
	} {
		if _, err := pool.ExecContext(t.Context(), statement, at.UnixMicro()); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}

	s := openAt(t, path, Default())
	t.Cleanup(start(t, s))
	events := func() []storetest.Event {
		t.Helper()
		all, err := s.events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	want := []storetest.Event{
		{Kind: "endpoint.online", Domain: "push.example", Subject: "gone", Data: "{}", At: at},
		{Kind: "endpoint.deleted", Domain: "push.example", Subject: "gone", Data: "{}", At: at},
		{Kind: "push.accepted", Domain: "push.example", Subject: "pc-1", Data: `{"push":"psh_0000000000005"}`, At: at},
	}
	// What comes later takes nobody's number.
	k := addEndpoint(t, s, "pc-2")
	st := mustAccept(t, s, k, 1)
	want = append(want, storetest.Event{Kind: "push.accepted", Domain: "push.example", Subject: "pc-2", Push: st.ID, At: st.Created})
	if diff := cmp.Diff(want, events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	sel := push.Selector{Group: "lab", Labels: map[string]string{"site": "paris"}}
	if n, err := s.CountMembers(t.Context(), k.Domain, sel, 10); n != 1 || err != nil {
		t.Errorf("CountMembers = %d, %v, want the endpoint that was there before labels had an index", n, err)
	}
	k.ID = "pc-1"
	waiting, err := s.WaitingPushes(t.Context(), k, push.Cursor{}, 10)
	if err != nil || len(waiting) != 1 || string(waiting[0].Payload) != "{}" {
		t.Errorf("waiting = %v, %v, want the push with its payload", waiting, err)
	}
	advanced := make(chan error, 1)
	s.AdvancePushes([]push.Transition{{ID: 5, Key: k, To: push.Delivered}}, func(out []push.Outcome, err error) { advanced <- err })
	if err := <-advanced; err != nil {
		t.Fatal(err)
	}
	if got, err := s.Push(t.Context(), k.Domain, 5); err != nil || got.State != push.Delivered || len(got.History) != 2 {
		t.Errorf("push = %+v, %v, want it delivered", got, err)
	}
}
