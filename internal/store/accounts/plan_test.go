package accounts_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"signalbox/internal/store"
	"signalbox/internal/store/accounts"

	"go.uber.org/zap"
)

// TestQueriesUseIndexes fails when a query of an account would read a whole table or sort.
func TestQueriesUseIndexes(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.FileName)
	s, err := store.Open(t.Context(), path, store.Default(), zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range accounts.Queries {
		plan := explain(t, db, q.Text)
		if !strings.Contains(plan, q.Index) || strings.Contains(plan, "SCAN "+q.Table+"\n") {
			t.Errorf("%s\ndoes not use %s:\n%s", q.Text, q.Index, plan)
		}
		if !q.Sorts && strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\nsorts:\n%s", q.Text, plan)
		}
	}
}

func explain(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query("EXPLAIN QUERY PLAN "+query, make([]any, 8)...)
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
