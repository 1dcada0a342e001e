package endpoint

import "iter"

// Standing is one session that is bound on this node, and what it is to its endpoint.
type Standing struct {
	Key
	Session   Session
	Leads     bool // one of each endpoint does
	Available bool // takes stanzas
	Suspended bool // lost its connection and may be resumed; it makes nobody online
}

// All yields the sessions on this node in no order. No lock is held meanwhile: who comes and goes at the same time may be there or not.
func (r *Registry) All() iter.Seq[Standing] {
	return func(yield func(Standing) bool) {
		var some []Standing
		for i := range r.shards {
			some = r.shards[i].appendStanding(some[:0])
			for _, b := range some {
				if !yield(b) {
					return
				}
			}
		}
	}
}

func (sh *shard) appendStanding(to []Standing) []Standing {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for k, entries := range sh.entries {
		for i, e := range entries {
			to = append(to, Standing{Key: k, Session: e.session, Leads: i == 0, Available: e.available, Suspended: e.suspended})
		}
	}
	return to
}
