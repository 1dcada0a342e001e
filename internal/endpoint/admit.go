package endpoint

import (
	"context"
	"math/rand/v2"
	"time"
)

// Logins of an endpoint that is flapping, or that has a rival, wait between these times: that calms whoever hurries, and locks nobody out.
const (
	slowLogin    = time.Second
	slowestLogin = 5 * time.Second
)

// Newcomer is a login that is about to be bound.
type Newcomer struct {
	RemoteAddr string
	Resource   string // that it asked for; empty: none
	Client     string // as in Facts
}

// Admit says whether a login may be bound; the zero reason means yes. It holds up the login of an endpoint that is flapping, and for as long as a probe takes one that
// would take over an open session where machines seem to share an identity: where two throw each other out, the one that is there and answers stays, and the other is
// refused as cloned. A session that does not answer is taken over as always. It returns early when ctx is done.
func (r *Registry) Admit(ctx context.Context, k Key, n Newcomer) Reason {
	slow, holder := r.look(k, n)
	if slow {
		r.metrics.slowed.Inc()
		if !pause(ctx, slowLogin+rand.N(slowestLogin-slowLogin)) {
			return Reason{}
		}
	}
	if holder == nil || !r.probe(holder).wait(ctx) {
		return Reason{}
	}
	r.noteRival(k, holder, n)
	return ReasonCloned
}

// look returns whether a login is held up, and the session that it would take over if that has to be asked before; nil: none has.
func (r *Registry) look(k Key, n Newcomer) (slow bool, holder Session) {
	now := clock()
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	h := sh.habits[k]
	if h == nil {
		return false, nil
	}
	r.forgetLocked(h, now)
	all := sh.entries[k]
	if r.most == 1 && len(all) > 0 && !all[0].suspended && h.contested(place(n.RemoteAddr, n.Client), presenceOf(all[0].session).Place()) {
		holder = all[0].session
	}
	return h.flapping || h.rival != nil && holder != nil, holder
}

// contested reports whether a login from one place, over an open session of another, looks like that of a second machine: it was thrown out before and is back, or there
// were many takeovers already.
func (h *habit) contested(from, holder string) bool {
	if h.rival != nil || len(h.takeovers) >= manyTakeovers {
		return true
	}
	for _, t := range h.takeovers {
		if t.from == from && from != holder {
			return true
		}
	}
	return false
}

// noteRival notes who was refused, and tells of the first one.
func (r *Registry) noteRival(k Key, holder Session, n Newcomer) {
	now := clock()
	rival := &Rival{RemoteAddr: n.RemoteAddr, Resource: n.Resource, At: now}
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.findLocked(k, holder)
	if e == nil {
		return
	}
	h := sh.habitLocked(k)
	if h.rival == nil {
		r.metrics.cloned.Inc()
		r.store.SaveTrouble(k, Trouble{At: now, Presence: e.presence(), Sessions: len(h.begins), Rival: rival})
	}
	h.rival = rival
}

// pause waits, and reports false if ctx is done before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
