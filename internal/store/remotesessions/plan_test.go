package remotesessions_test

import (
	"testing"

	"signalbox/internal/remote"
	"signalbox/internal/store/plantest"
	"signalbox/internal/store/remotesessions"
)

// TestQueriesUseIndexes fails when a query that grows would read all sessions or sort.
func TestQueriesUseIndexes(t *testing.T) {
	plantest.Check(t,
		plantest.Query{Text: remotesessions.QueryOpen, Index: "remote_session_open", Table: "remote_session"},
		plantest.Query{Text: remotesessions.Selection(remote.Query{Domain: "d", Endpoint: "e"}), Index: "remote_session_endpoint", Table: "remote_session"},
		plantest.Query{Text: remotesessions.Selection(remote.Query{Domain: "d", Technician: "t", State: remote.Active}), Index: "remote_session_technician", Table: "remote_session"},
		plantest.Query{Text: remotesessions.Selection(remote.Query{Domain: "d", Before: 5}), Index: "INTEGER PRIMARY KEY", Table: "remote_session"},
		plantest.Query{Text: remotesessions.Selection(remote.Query{Domain: "d", Open: true}), Index: "remote_session_open"},
		plantest.Query{Text: remotesessions.Selection(remote.Query{Domain: "d"}), Index: "SCAN remote_session"}, // the newest alone, in the order of their ids
	)
}
