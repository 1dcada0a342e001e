package presences

const (
	QueryOnline = queryOnline
	QueryDue    = queryDue
)
