package technicians

const (
	QueryList          = queryList
	QuerySignIn        = querySignIn
	QueryOldSignIns    = queryOldSignIns
	QueryExpireSignIns = queryExpireSignIns
	QueryExpireLinks   = queryExpireLinks
)
