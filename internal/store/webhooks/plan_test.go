package webhooks_test

import (
	"testing"

	"signalbox/internal/store/plantest"
	"signalbox/internal/store/webhooks"
)

// TestQueriesUseIndexes fails when a query that grows would read a whole table or sort.
func TestQueriesUseIndexes(t *testing.T) {
	plantest.Check(t,
		plantest.Query{Text: webhooks.QueryDeliveries, Index: "webhook_delivery_log", Sorts: true},
		plantest.Query{Text: webhooks.QueryAside, Index: "USING PRIMARY KEY"},
	)
}
