package presences_test

import (
	"testing"

	"signalbox/internal/store/plantest"
	"signalbox/internal/store/presences"
)

// TestQueriesUseIndexes fails when a query would read all presences.
func TestQueriesUseIndexes(t *testing.T) {
	plantest.Check(t,
		plantest.Query{Text: presences.QueryOnline, Index: "presence_online", Table: "p"},
		plantest.Query{Text: presences.QueryDue, Index: "presence_due", Table: "p"},
		plantest.Query{Text: presences.QueryAnyDue, Index: "presence_due", Table: "presence"},
	)
}
