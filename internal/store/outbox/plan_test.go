package outbox_test

import (
	"testing"

	"signalbox/internal/store/outbox"
	"signalbox/internal/store/plantest"
)

// TestQueriesUseIndexes fails when the timeline of an endpoint would read all events.
func TestQueriesUseIndexes(t *testing.T) {
	plantest.Check(t, plantest.Query{Text: outbox.QueryEndpointEvents, Index: "outbox_endpoint", Table: "outbox"})
}
