package technicians_test

import (
	"testing"

	"signalbox/internal/store/plantest"
	"signalbox/internal/store/technicians"
)

// TestQueriesUseIndexes fails when a query that grows would read a whole table or sort.
func TestQueriesUseIndexes(t *testing.T) {
	plantest.Check(t,
		plantest.Query{Text: technicians.QuerySignIn, Index: "USING PRIMARY KEY"},
		plantest.Query{Text: technicians.QueryOldSignIns, Index: "technician_signin_of"},
		plantest.Query{Text: technicians.QueryExpireSignIns, Index: "technician_signin_expiry"},
		plantest.Query{Text: technicians.QueryExpireLinks, Index: "technician_link_expiry"},
		plantest.Query{Text: technicians.QueryList, Index: "domain=? AND name>?"},
	)
}
