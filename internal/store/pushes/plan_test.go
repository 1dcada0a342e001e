package pushes_test

import (
	"testing"

	"signalbox/internal/store/plantest"
	"signalbox/internal/store/pushes"
)

// TestQueriesUseIndexes fails when a hot query would read a whole table or sort.
func TestQueriesUseIndexes(t *testing.T) {
	plantest.Check(t,
		plantest.Query{Text: pushes.QueryOldPushes, Index: "INTEGER PRIMARY KEY", Table: "push"},
		plantest.Query{Text: pushes.QueryUnfiled, Index: "SEARCH p USING INTEGER PRIMARY KEY", Table: "p"},
		plantest.Query{Text: pushes.QueryWaiting, Index: "SEARCH q USING PRIMARY KEY", Table: "p"},
		plantest.Query{Text: pushes.QueryWaitingRecent, Index: "SEARCH p USING INTEGER PRIMARY KEY", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryCountOpen, Index: "SEARCH queue USING PRIMARY KEY", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryOfEndpoint, Index: "SEARCH q USING PRIMARY KEY", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryState, Index: "push_state", Table: "p"},
		plantest.Query{Text: pushes.QueryInterrupted, Index: "push_expiry", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryPushesOf, Index: "SEARCH queue USING PRIMARY KEY", Table: "p"},
		plantest.Query{Text: pushes.QueryCandidate, Index: "SEARCH queue USING PRIMARY KEY", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryExpired, Index: "push_expiry", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryFindKey, Index: "idem_hash", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryFindAll, Index: "SEARCH p USING INTEGER PRIMARY KEY", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryTargets, Index: "push_fanout", Table: "p"},
		plantest.Query{Text: pushes.QueryCountTargets, Index: "push_fanout", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryRefused, Index: "refused_fanout", Table: "p"},
		plantest.Query{Text: pushes.QueryCandidates, Index: "SEARCH queue USING PRIMARY KEY", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryOpenTargets, Index: "SEARCH queue USING PRIMARY KEY", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryOlder, Index: "push_collapse", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryNewer, Index: "push_collapse", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryOpenOfKey, Index: "COVERING INDEX push_collapse", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryDroppable, Index: "SEARCH q USING PRIMARY KEY", Table: "p"},
		plantest.Query{Text: pushes.QueryDue, Index: "push_due", Table: "p"},
		plantest.Query{Text: pushes.QueryAnyDue, Index: "push_due", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryLateOpen, Index: "fanout_late", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryLateOver, Index: "fanout_late", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryMembers, Index: "SEARCH g USING PRIMARY KEY", Table: "p"},
		plantest.Query{Text: pushes.QueryMemberIDs, Index: "SEARCH g USING PRIMARY KEY", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryCountMembers, Index: "SEARCH g USING PRIMARY KEY", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryCountTag, Index: "SEARCH tagged USING PRIMARY KEY", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryMet, Index: "refused_subject", Table: "p", Sorts: true},
		plantest.Query{Text: pushes.QueryAhead, Index: "SEARCH queue USING PRIMARY KEY", Table: "p", Sorts: true},
	)
}
