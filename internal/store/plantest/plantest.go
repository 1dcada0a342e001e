// Package plantest checks which plans SQLite makes of the queries of a domain, against a database with the whole schema.
package plantest

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"signalbox/internal/store"
)

// Query is a query with what its plan must name.
type Query struct {
	Text, Index string
	Table       string // that must not be read as a whole; empty: none
	Sorts       bool   // a few rows
}

// Check fails when a query would read a whole table, or sort where it need not.
func Check(t *testing.T, all ...Query) {
	t.Helper()
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
	for _, q := range all {
		plan := explain(t, db, q.Text)
		if !strings.Contains(plan, q.Index) || q.Table != "" && strings.Contains(plan, "SCAN "+q.Table+"\n") {
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
