package endpoint

import (
	"crypto/tls"
	"errors"
	"slices"
	"time"
)

// ErrResources says that an endpoint has as many sessions as it may have.
var ErrResources = errors.New("the endpoint has as many sessions as it may have")

// Bind makes s a session of the endpoint, or returns ErrResources. An older session with the same resource, or the only one where there may be one, or one
// that is suspended where there are as many as may be, is told to end as replaced; it does not turn the endpoint offline when it does.
func (r *Registry) Bind(k Key, s Session) error {
	now := clock()
	sh := r.shard(k)
	sh.mu.Lock()
	was := onlineLocked(sh.entries[k])
	old := r.displacedLocked(sh.entries[k], s)
	switch {
	case old != nil:
		sh.removeLocked(k, old, ReasonReplaced, now)
		if !old.suspended {
			sh.tookOverLocked(k, old.session, now)
		}
	case len(sh.entries[k]) >= r.most:
		sh.mu.Unlock()
		return ErrResources
	}
	sh.order++
	sh.entries[k] = append(sh.entries[k], &entry{session: s, order: sh.order, since: now})
	r.beginLocked(sh, k, now)
	r.electLocked(sh, k, now)
	epoch := sh.entries[k][0].epoch
	r.countLocked(was, onlineLocked(sh.entries[k]))
	sh.mu.Unlock()

	r.bus.Announce(k, epoch)
	r.metrics.bound.Inc()
	if old != nil {
		r.metrics.replaced.Inc()
		r.metrics.ended.WithLabelValues(ReasonReplaced.Name).Inc()
		old.session.End(ReasonReplaced)
	}
	r.tell(sh)
	return nil
}

// displacedLocked returns the entry whose place a new session takes: that with its resource, or where there are as many as may be, the one that was suspended first;
// nil: none.
func (r *Registry) displacedLocked(all []*entry, s Session) (lost *entry) {
	for _, e := range all {
		if r.most == 1 || e.session.Facts().Resource == s.Facts().Resource {
			return e
		}
		if e.suspended && (lost == nil || e.since.Before(lost.since)) {
			lost = e
		}
	}
	if len(all) < r.most {
		return nil
	}
	return lost
}

// Available says whether the session takes stanzas from now on.
func (r *Registry) Available(k Key, s Session, available bool) {
	r.change(k, s, func(sh *shard, e *entry) (Change, bool) {
		e.available = available
		if !available {
			return Change{Kind: Unavailable}, true
		}
		sh.order++
		e.order = sh.order
		return Change{Kind: Available}, true
	})
}

// Suspend says that the session lost its connection and may be resumed: it does not make the endpoint online any more. Round counts the session's resumptions:
// word of the loss of a connection that comes after the session got its next one is late and says nothing, and word of that of a connection which the registry has not
// heard of yet is early: Resume with its round changes nothing then.
func (r *Registry) Suspend(k Key, s Session, round uint32, reason Reason) {
	r.change(k, s, func(sh *shard, e *entry) (Change, bool) {
		if round < e.round {
			return Change{}, false
		}
		e.round = round
		if e.suspended {
			return Change{}, false
		}
		now := clock()
		sh.overLocked(k, e, now)
		e.suspended, e.since, e.reason = true, now, reason
		return Change{Kind: Suspended, Reason: reason}, true
	})
}

// Resume says that a session has a new connection, after a suspension or in place of one that was still open; round counts them. It is false if a newer session
// took its place meanwhile.
func (r *Registry) Resume(k Key, s Session, round uint32) bool {
	ok := r.change(k, s, func(sh *shard, e *entry) (Change, bool) {
		if round <= e.round {
			return Change{}, false
		}
		e.round = round
		if !e.suspended {
			if e.epoch != 0 {
				r.saveLocked(sh, k, e.presence()) // from elsewhere, perhaps
			}
			return Change{}, false
		}
		e.suspended, e.since, e.reason = false, clock(), Reason{}
		r.beginLocked(sh, k, e.since)
		return Change{Kind: Resumed}, true
	})
	if ok {
		r.metrics.resumed.Inc()
	}
	return ok
}

// change applies what happened to a session; false: it is no session of the endpoint any more. Where apply reports a change, it is told if the session leads
// before and after.
func (r *Registry) change(k Key, s Session, apply func(*shard, *entry) (c Change, changed bool)) bool {
	now := clock()
	sh := r.shard(k)
	sh.mu.Lock()
	e := sh.findLocked(k, s)
	if e == nil {
		sh.mu.Unlock()
		return false
	}
	was := onlineLocked(sh.entries[k])
	c, changed := apply(sh, e)
	if moved := r.electLocked(sh, k, now); changed && !moved && e.epoch != 0 {
		c.Key, c.Epoch, c.Session, c.At = k, e.epoch, s, now
		sh.changes.addLocked(c)
		if c.Kind == Suspended || c.Kind == Resumed {
			r.saveLocked(sh, k, e.presence())
		}
	}
	r.countLocked(was, onlineLocked(sh.entries[k]))
	sh.mu.Unlock()
	r.tell(sh)
	return true
}

// Unbind says that the session has ended for good. What is no session of the endpoint, or no longer, is left alone.
func (r *Registry) Unbind(k Key, s Session, reason Reason) {
	now := clock()
	sh := r.shard(k)
	sh.mu.Lock()
	e := sh.findLocked(k, s)
	if e == nil {
		sh.mu.Unlock()
		return
	}
	was, epoch := onlineLocked(sh.entries[k]), e.epoch
	sh.removeLocked(k, e, reason, now)
	last := len(sh.entries[k]) == 0
	switch {
	case !last:
		r.electLocked(sh, k, now)
	case was:
		r.saveLocked(sh, k, offlinePresence(s, reason, now))
	}
	r.countLocked(was, onlineLocked(sh.entries[k]))
	sh.mu.Unlock()
	if last {
		r.bus.Withdraw(k, epoch)
	}
	r.metrics.ended.WithLabelValues(reason.Name).Inc()
	r.tell(sh)
}

// electLocked lets the session lead that should; true: it is another one than before.
func (r *Registry) electLocked(sh *shard, k Key, now time.Time) (moved bool) {
	all := sh.entries[k]
	best := 0
	for i, e := range all {
		if e.before(all[best]) {
			best = i
		}
	}
	lead := all[best]
	if lead.epoch != 0 {
		return false
	}
	if old := all[0]; old.epoch != 0 {
		sh.changes.addLocked(Change{Kind: Ended, Key: k, Epoch: old.epoch, Session: old.session, Reason: ReasonReplaced, At: now})
		old.epoch = 0
	}
	all[0], all[best] = lead, all[0]
	// Wall-clock microseconds, so that epochs grow over restarts too; never twice the same.
	sh.epoch = max(sh.epoch+1, uint64(now.UnixMicro()))
	lead.epoch = sh.epoch
	c := Change{Kind: Bound, Key: k, Epoch: lead.epoch, Session: lead.session, At: now}
	sh.changes.addLocked(c)
	if lead.available {
		c.Kind = Available
		sh.changes.addLocked(c)
	}
	if lead.suspended {
		c.Kind, c.Reason = Suspended, lead.reason
		sh.changes.addLocked(c)
	}
	r.saveLocked(sh, k, lead.presence())
	return true
}

// before reports whether e leads rather than o.
func (e *entry) before(o *entry) bool {
	switch {
	case e.suspended != o.suspended:
		return o.suspended
	case e.available != o.available:
		return e.available
	}
	return e.order > o.order
}

func (sh *shard) findLocked(k Key, s Session) *entry {
	for _, e := range sh.entries[k] {
		if e.session == s {
			return e
		}
	}
	return nil
}

// removeLocked takes an entry away and tells of its end if it led. The entries left have no lead then.
func (sh *shard) removeLocked(k Key, e *entry, reason Reason, now time.Time) {
	if e.epoch != 0 {
		open := reason == ReasonReplaced && !e.suspended
		sh.changes.addLocked(Change{Kind: Ended, Key: k, Epoch: e.epoch, Session: e.session, Reason: reason, Open: open, At: now})
	}
	sh.overLocked(k, e, now)
	all := sh.entries[k]
	if len(all) == 1 {
		delete(sh.entries, k)
		return
	}
	i := slices.Index(all, e)
	sh.entries[k] = slices.Delete(all, i, i+1)
}

// onlineLocked reports whether one of the sessions makes its endpoint online: the leading one does if any does.
func onlineLocked(all []*entry) bool { return len(all) > 0 && !all[0].suspended }

func (r *Registry) countLocked(was, is bool) {
	switch {
	case is && !was:
		r.metrics.online.Inc()
	case was && !is:
		r.metrics.online.Dec()
	}
}

// saveLocked stores a presence in the order of the changes, which only the shard's lock gives; the store does not block.
func (r *Registry) saveLocked(sh *shard, k Key, p Presence) {
	p.Tell = r.tellLocked(sh, k, p, clock())
	r.store.SavePresence(k, p)
}

// presence returns what the session means for its endpoint.
func (e *entry) presence() Presence {
	if e.suspended {
		return offlinePresence(e.session, e.reason, e.since)
	}
	p := presenceOf(e.session)
	p.State, p.Since = StateOnline, e.since
	return p
}

func offlinePresence(s Session, reason Reason, since time.Time) Presence {
	p := presenceOf(s)
	p.State, p.Since, p.Reason, p.Intercepted = StateOffline, since, reason.Name, false
	return p
}

func presenceOf(s Session) Presence {
	f := s.Facts()
	p := Presence{
		LastHeard: s.LastHeard().UTC().Truncate(time.Microsecond), Resource: f.Resource, Client: f.Client, Via: f.Via, TLSVersion: tlsVersion(f.TLSVersion),
		Bound: f.Bound.UTC().Truncate(time.Microsecond), Intercepted: f.Intercepted,
	}
	if f.Remote.IsValid() {
		p.RemoteAddr = f.Remote.String()
	}
	return p
}

func tlsVersion(v uint16) string {
	switch v {
	case tls.VersionTLS12:
		return "1.2"
	case tls.VersionTLS13:
		return "1.3"
	}
	return ""
}
