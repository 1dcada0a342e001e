package accounts_test

import (
	"testing"

	"signalbox/internal/store/accounts"
	"signalbox/internal/store/plantest"
)

// TestQueriesUseIndexes fails when a query of an account would read a whole table or sort.
func TestQueriesUseIndexes(t *testing.T) {
	var all []plantest.Query
	for _, q := range accounts.Queries {
		all = append(all, plantest.Query{Text: q.Text, Index: q.Index, Table: q.Table, Sorts: q.Sorts})
	}
	plantest.Check(t, all...)
}
