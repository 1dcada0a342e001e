package store

import (
	"fmt"
	"strings"
	"testing"
)

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
