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
		queryWaiting:      "push_queue",
		queryCountOpen:    "COVERING INDEX push_queue",
		queryOfEndpoint:   "push_queue",
		queryState:        "push_state",
		queryInterrupted:  "push_expiry",
		queryOldPushes:    "INTEGER PRIMARY KEY",
		queryPushesOf:     "COVERING INDEX push_queue",
		queryCandidate:    "COVERING INDEX push_queue",
		queryExpired:      "push_expiry",
		queryFindKey:      "idem_hash",
		queryFindAll:      "SEARCH p USING INTEGER PRIMARY KEY",
		queryTargets:      "push_fanout",
		queryCountTargets: "push_fanout",
		queryRefused:      "refused_fanout",
		queryCandidates:   "COVERING INDEX push_queue",
		queryOpenTargets:  "COVERING INDEX push_queue",
		queryOlder:        "push_collapse",
		queryNewer:        "push_collapse",
		queryOpenOfKey:    "COVERING INDEX push_collapse",
		queryDroppable:    "push_queue",
		queryDue:          "push_due",
		queryAnyDue:       "push_due",
		queryLateOpen:     "fanout_late",
		queryLateOver:     "fanout_late",
		queryMembers:      "SEARCH g USING PRIMARY KEY",
		queryMemberIDs:    "SEARCH g USING PRIMARY KEY",
		queryCountMembers: "SEARCH g USING PRIMARY KEY",
		queryCountTag:     "SEARCH tagged USING PRIMARY KEY",
		queryMet:          "refused_subject",

		queryEndpointEvents: "outbox_endpoint",
		queryAhead:          "COVERING INDEX push_queue",
	} {
		plan := explain(t, s, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "SCAN p\n") {
			t.Errorf("%s\ndoes not use %s:\n%s", query, index, plan)
		}
	}
	for _, query := range []string{queryWaiting, queryState, queryPushesOf, queryTargets, queryRefused, queryEndpointEvents, queryDroppable, queryDue, queryMembers} {
		if plan := explain(t, s, query); strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\nsorts:\n%s", query, plan)
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
