package endpoints_test

import (
	"testing"

	"signalbox/internal/store/endpoints"
	"signalbox/internal/store/plantest"
)

// TestQueriesUseIndexes fails when a query would read all endpoints where it need not.
func TestQueriesUseIndexes(t *testing.T) {
	plantest.Check(t,
		plantest.Query{Text: endpoints.QueryByID, Index: "SEARCH e USING INDEX sqlite_autoindex_endpoint_1 (domain=? AND id=?)", Table: "p"},
		plantest.Query{Text: endpoints.QuerySnapshot, Index: "SEARCH e USING INDEX sqlite_autoindex_endpoint_1", Table: "p", Sorts: true},
		plantest.Query{Text: endpoints.QueryFast, Index: "USING PRIMARY KEY"},
	)
}
