package audit_test

import (
	"testing"
	"time"

	"signalbox/internal/audit"
	rows "signalbox/internal/store/audit"
	"signalbox/internal/store/plantest"
)

// TestQueriesUseIndexes fails when a query that grows would read the whole trail or sort.
func TestQueriesUseIndexes(t *testing.T) {
	plantest.Check(t,
		plantest.Query{Text: rows.QueryOldHead, Index: "SCAN audit_head"},
		plantest.Query{Text: rows.Selection(audit.Query{Actor: "a", From: time.Unix(1, 0)}), Index: "audit_actor", Table: "audit"},
		plantest.Query{Text: rows.Selection(audit.Query{Action: "a.b", Before: 5}), Index: "audit_action", Table: "audit"},
		plantest.Query{Text: rows.Selection(audit.Query{Subject: "s", Domain: "d"}), Index: "audit_subject", Table: "audit"},
		plantest.Query{Text: rows.Selection(audit.Query{Before: 5}), Index: "INTEGER PRIMARY KEY", Table: "audit"},
		plantest.Query{Text: rows.Selection(audit.Query{Domain: "d"}), Index: "SCAN audit"}, // the newest alone, in the order of their numbers
	)
}
