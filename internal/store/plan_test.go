package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// TestQueriesUseIndexes fails when a hot query would read a whole table or sort.
func TestQueriesUseIndexes(t *testing.T) {
	s := running(t)
	for query, index := range map[string]string{
		queryOldPushes: "INTEGER PRIMARY KEY",
	} {
		plan := explain(t, s, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "SCAN p\n") {
			t.Errorf("%s\ndoes not use %s:\n%s", query, index, plan)
		}
	}
}

// TestListsHaveConnectionsOfTheirOwn checks that slow lists hold up neither logins nor deliveries, and the other way round.
func TestListsHaveConnectionsOfTheirOwn(t *testing.T) {
	s := running(t)
	k := addEndpoint(t, s, "pc-1")
	mustAccept(t, s, k, 1)
	type read func(context.Context) error
	pushes := func(ctx context.Context) error { _, err := s.Pushes(ctx, k, push.Accepted, 0, 10); return err }
	endpoints := func(ctx context.Context) error {
		_, err := s.Endpoints(ctx, endpoint.Query{Domain: k.Domain, Limit: 10})
		return err
	}
	secret := func(ctx context.Context) error { _, _, err := s.EndpointSecret(ctx, k); return err }
	waiting := func(ctx context.Context) error { _, err := s.WaitingPushes(ctx, k, push.Cursor{}, 10); return err }
	lists, others := []read{pushes, endpoints}, []read{secret, waiting}
	for _, test := range []struct {
		name          string
		pool          *sql.DB
		blocked, free []read
	}{{"lists", s.reader.lists, lists, others}, {"others", s.reader.db, others, lists}} {
		t.Run(test.name, func(t *testing.T) {
			for range test.pool.Stats().MaxOpenConnections {
				c, err := test.pool.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			for i, f := range test.blocked {
				if err := f(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("read %d = %v, want it to wait for a connection", i, err)
				}
			}
			for i, f := range test.free {
				if err := f(t.Context()); err != nil {
					t.Errorf("read %d of the others = %v", i, err)
				}
			}
		})
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
