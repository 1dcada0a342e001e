package endpoint

import "time"

// Restore makes s, which outlived the server's process, a suspended session of the endpoint again: since and reason are those of the suspension. Of several sessions of an
// endpoint the one that is restored last leads. What is stored of the endpoint's presence is true already and is not written again. It is false where the
// endpoint has as many sessions as it may, or one that came meanwhile: then s is none of them.
func (r *Registry) Restore(k Key, s Session, available bool, since time.Time, reason Reason) bool {
	now := clock()
	sh := r.shard(k)
	sh.mu.Lock()
	all := sh.entries[k]
	if len(all) >= r.most || onlineLocked(all) {
		sh.mu.Unlock()
		return false
	}
	if len(all) > 0 {
		sh.changes.addLocked(Change{Kind: Ended, Key: k, Epoch: all[0].epoch, Session: all[0].session, Reason: ReasonReplaced, At: now})
		all[0].epoch = 0
	}
	sh.order++
	sh.epoch = max(sh.epoch+1, uint64(now.UnixMicro()))
	e := &entry{session: s, epoch: sh.epoch, order: sh.order, available: available, suspended: true, since: since, reason: reason}
	sh.entries[k] = append([]*entry{e}, all...)
	sh.changes.addLocked(Change{Kind: Bound, Key: k, Epoch: e.epoch, Session: s, At: now})
	if available {
		sh.changes.addLocked(Change{Kind: Available, Key: k, Epoch: e.epoch, Session: s, At: now})
	}
	sh.changes.addLocked(Change{Kind: Suspended, Key: k, Epoch: e.epoch, Session: s, Reason: reason, At: now})
	sh.mu.Unlock()

	r.bus.Announce(k, e.epoch)
	r.tell(sh)
	return true
}

// ReasonNamed returns the reason of this name, or ReasonRestarted where there is none.
func ReasonNamed(name string) Reason {
	for _, r := range Reasons() {
		if r.Name == name {
			return r
		}
	}
	return ReasonRestarted
}
