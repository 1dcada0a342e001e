package endpoint

import (
	"slices"
	"time"
)

// How the sessions of an endpoint are watched.
const (
	beginsWindow  = time.Minute
	maxBegins     = 101              // that are counted within it
	contestWindow = 20 * time.Minute // in which takeovers count, and after which who no longer tries is no rival; a refused agent tries every 16 minutes
	maxTakeovers  = 8                // that are remembered
	manyTakeovers = 3                // after which each further one is looked at, wherever it comes from
	habitsSweep   = 10 * time.Second // between two looks for habits that are over
)

// Unrest is what is out of the ordinary in how an endpoint's sessions come and go. The zero value: nothing.
type Unrest struct {
	Sessions int    // that began or were resumed within the last minute
	Flapping bool   // they were too many, and it is not calm yet
	Rival    *Rival // who else logs in with the endpoint's identity while its session answers; nil: nobody
}

// Rival is a machine that logs in with the identity of another one that is online.
type Rival struct {
	RemoteAddr string
	Resource   string // that it asked for; empty: none
	At         time.Time
}

// Trouble is an event of what goes wrong with an endpoint: it began to flap, or it has a rival.
type Trouble struct {
	At       time.Time
	Presence Presence // of its session then
	Sessions int      // within the last minute
	Rival    *Rival   // nil: it began to flap
}

// habit is how the sessions of one endpoint come and go, remembered only as long as it matters. The shard's lock guards it.
type habit struct {
	begins    []int64    // in microseconds since 1970, within the last beginsWindow, oldest first
	last      time.Time  // of them
	takeovers []takeover // of open sessions by other ones within the last contestWindow, oldest first
	flapping  bool       // until FlappingCalm after last
	rival     *Rival     // the newest; nil: none within the last contestWindow
}

// takeover is the end of an open session by a newer one.
type takeover struct {
	at   time.Time
	from string // Place of the session that ended
}

// habitLocked returns what is remembered of the endpoint's habit, made if need be.
func (sh *shard) habitLocked(k Key) *habit {
	h := sh.habits[k]
	if h == nil {
		h = &habit{}
		sh.habits[k] = h
	}
	return h
}

// beginLocked notes that a session of the endpoint began or was resumed, and tells of it if it is one too many. That of an endpoint without habits is noted when it ends:
// most sessions stay.
func (r *Registry) beginLocked(sh *shard, k Key, now time.Time) {
	h := sh.habits[k]
	if h == nil {
		return
	}
	r.forgetLocked(h, now)
	if len(h.begins) == maxBegins {
		h.begins = slices.Delete(h.begins, 0, 1)
	}
	h.begins, h.last = append(h.begins, now.UnixMicro()), now
	if limit := min(r.cfg.FlappingSessions*r.most, maxBegins-1); !h.flapping && limit > 0 && len(h.begins) > limit {
		h.flapping = true
		r.metrics.flapping.Inc()
		r.store.SaveTrouble(k, Trouble{At: now, Presence: sh.entries[k][0].presence(), Sessions: len(h.begins)})
	}
}

// overLocked notes that a session lost its connection or ended.
func (sh *shard) overLocked(k Key, e *entry, now time.Time) {
	if e.suspended || sh.habits[k] != nil || now.Sub(e.since) >= beginsWindow {
		return
	}
	h := sh.habitLocked(k)
	h.begins, h.last = append(h.begins, e.since.UnixMicro()), e.since
}

// forgetLocked forgets what is over.
func (r *Registry) forgetLocked(h *habit, now time.Time) {
	old := now.Add(-beginsWindow).UnixMicro()
	h.begins = slices.DeleteFunc(h.begins, func(at int64) bool { return at <= old })
	h.takeovers = slices.DeleteFunc(h.takeovers, func(t takeover) bool { return now.Sub(t.at) >= contestWindow })
	if h.flapping && now.Sub(h.last) >= r.cfg.FlappingCalm {
		h.flapping = false
		r.metrics.flapping.Dec()
	}
	if h.rival != nil && now.Sub(h.rival.At) >= contestWindow {
		r.reconcileLocked(h)
	}
}

// reconcileLocked forgets the rivals of an endpoint.
func (r *Registry) reconcileLocked(h *habit) {
	h.takeovers = nil
	if h.rival != nil {
		h.rival = nil
		r.metrics.cloned.Dec()
	}
}

func (h *habit) empty() bool {
	return len(h.begins) == 0 && len(h.takeovers) == 0 && !h.flapping && h.rival == nil
}

// tookOverLocked notes that a newer session took the place of an open one.
func (sh *shard) tookOverLocked(k Key, old Session, now time.Time) {
	h := sh.habitLocked(k)
	if len(h.takeovers) == maxTakeovers {
		h.takeovers = slices.Delete(h.takeovers, 0, 1)
	}
	h.takeovers = append(h.takeovers, takeover{at: now, from: presenceOf(old).Place()})
}

// tellLocked returns when events may tell of a presence: of offline after the grace, of an endpoint that is flapping once it is calm.
func (r *Registry) tellLocked(sh *shard, k Key, p Presence, now time.Time) (at time.Time) {
	switch {
	case p.State == StateOffline && p.Reason == ReasonDisabled.Name: // it does not come back
		return time.Time{}
	case p.State == StateOffline:
		at = r.backBy(p.Since, p.Reason).Add(r.cfg.OfflineGrace)
	}
	h := sh.habits[k]
	if h == nil || !h.flapping {
		return at
	}
	if calm := h.last.Add(r.cfg.FlappingCalm); calm.After(at) && calm.After(now) {
		return calm
	}
	return at
}

// Unrest returns what is out of the ordinary with an endpoint's sessions.
func (r *Registry) Unrest(k Key) Unrest {
	now := clock()
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	h := sh.habits[k]
	if h == nil {
		return Unrest{Sessions: sh.freshLocked(k, now)}
	}
	r.forgetLocked(h, now)
	return Unrest{Sessions: len(h.begins), Flapping: h.flapping, Rival: h.rival}
}

// Restless returns the endpoints that flap or have a rival.
func (r *Registry) Restless() (keys []Key) {
	now := clock()
	for i := range r.shards {
		keys = r.restlessOf(keys, &r.shards[i], now)
	}
	return keys
}

func (r *Registry) restlessOf(keys []Key, sh *shard, now time.Time) []Key {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for k, h := range sh.habits {
		if r.forgetLocked(h, now); h.flapping || h.rival != nil {
			keys = append(keys, k)
		}
	}
	return keys
}

// freshLocked counts the sessions of an endpoint without habits that began within the last minute.
func (sh *shard) freshLocked(k Key, now time.Time) (n int) {
	for _, e := range sh.entries[k] {
		if !e.suspended && now.Sub(e.since) < beginsWindow {
			n++
		}
	}
	return n
}

// reconcile forgets the rivals of an endpoint whose sessions somebody ended on purpose: who comes first then is the right one.
func (r *Registry) reconcile(k Key) {
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if h := sh.habits[k]; h != nil {
		r.reconcileLocked(h)
	}
}

// forgetHabits drops what is no longer worth remembering.
func (r *Registry) forgetHabits() {
	now := clock()
	for i := range r.shards {
		r.forgetHabitsOf(&r.shards[i], now)
	}
}

func (r *Registry) forgetHabitsOf(sh *shard, now time.Time) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for k, h := range sh.habits {
		if r.forgetLocked(h, now); h.empty() {
			delete(sh.habits, k)
		}
	}
}
