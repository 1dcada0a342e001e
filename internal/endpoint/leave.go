package endpoint

import "time"

// Leave says that endpoints are sent away and need not be back before until, so events tell of none of them as offline before the grace beyond that is over. The zero
// time takes it back for those that are sent away later.
func (r *Registry) Leave(until time.Time) {
	var at int64
	if !until.IsZero() {
		at = until.UnixMicro()
	}
	r.leaving.Store(at)
}

// backBy returns when an endpoint that went offline at since for this reason is wanted back.
func (r *Registry) backBy(since time.Time, reason string) time.Time {
	if reason != ReasonShutdown.Name {
		return since
	}
	if until := time.UnixMicro(r.leaving.Load()); until.After(since) {
		return until.UTC()
	}
	return since
}
