package pushes

const (
	QueryOldPushes     = queryOldPushes
	QueryWaiting       = queryWaiting
	QueryUnfiled       = queryUnfiled
	QueryWaitingRecent = queryWaitingRecent
	QueryCountOpen     = queryCountOpen
	QueryOfEndpoint    = queryOfEndpoint
	QueryState         = queryState
	QueryInterrupted   = queryInterrupted
	QueryPushesOf      = queryPushesOf
	QueryCandidate     = queryCandidate
	QueryExpired       = queryExpired
	QueryFindKey       = queryFindKey
	QueryFindAll       = queryFindAll
	QueryTargets       = queryTargets
	QueryCountTargets  = queryCountTargets
	QueryRefused       = queryRefused
	QueryCandidates    = queryCandidates
	QueryOpenTargets   = queryOpenTargets
	QueryOlder         = queryOlder
	QueryNewer         = queryNewer
	QueryOpenOfKey     = queryOpenOfKey
	QueryDroppable     = queryDroppable
	QueryDue           = queryDue
	QueryAnyDue        = queryAnyDue
	QueryLateOpen      = queryLateOpen
	QueryLateOver      = queryLateOver
	QueryMembers       = queryMembers
	QueryMemberIDs     = queryMemberIDs
	QueryCountMembers  = queryCountMembers
	QueryCountTag      = queryCountTag
	QueryMet           = queryMet
	QueryAhead         = queryAhead
)
