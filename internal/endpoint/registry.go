package endpoint

import (
	"context"
	"crypto/tls"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Bus reaches the sessions that other nodes hold. Implementations may be called concurrently and never block.
type Bus interface {
	// Announce says that this node holds the endpoint's session of this epoch; a node with an older one ends it.
	Announce(k Key, epoch uint64)
	// Withdraw says that this node holds that session no longer.
	Withdraw(k Key, epoch uint64)
	// Route hands a stanza to the node that holds the endpoint's session, or returns ErrOffline.
	Route(k Key, s Stanza) error
}

const shards = 64

// Registry knows the live session of every endpoint on this node and routes to it. It is safe for concurrent use.
type Registry struct {
	bus      Bus
	store    Presences
	watchers []Watcher
	metrics  registryMetrics
	seed     maphash.Seed
	binds    atomic.Uint64
	shards   [shards]shard
}

type shard struct {
	mu      sync.Mutex
	epoch   uint64 // of the newest session in this shard
	entries map[Key]*entry
	changes outbox
}

// entry is the session that counts for an endpoint: bound, or suspended and resumable.
type entry struct {
	session   Session
	epoch     uint64
	suspended bool
	round     uint32    // of the session's newest connection: its resumptions
	since     time.Time // of the present state
	reason    Reason    // of the suspension
}

// NewRegistry returns an empty registry; store is told of every presence.
func NewRegistry(bus Bus, store Presences, reg prometheus.Registerer) *Registry {
	r := &Registry{bus: bus, store: store, metrics: newRegistryMetrics(reg), seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].entries = make(map[Key]*entry)
	}
	return r
}

// Watch adds a watcher; watchers are called in the order in which they were added. It must not be called once sessions are bound.
func (r *Registry) Watch(w Watcher) { r.watchers = append(r.watchers, w) }

// clock returns the time as it is stored, so that a presence reads the same while it is live and later.
func clock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func (r *Registry) shard(k Key) *shard {
	return &r.shards[maphash.Comparable(r.seed, k)%shards]
}

// Bind makes s the endpoint's session and returns its epoch. An older session of the endpoint is told to end as replaced; it does not turn the endpoint
// offline when it does.
func (r *Registry) Bind(k Key, s Session) uint64 {
	now := clock()
	online := onlinePresence(s, now)
	sh := r.shard(k)
	sh.mu.Lock()
	old := sh.entries[k]
	wasOnline := old != nil && !old.suspended
	// Wall-clock microseconds, so that epochs grow over restarts too; never twice the same.
	sh.epoch = max(sh.epoch+1, uint64(now.UnixMicro()))
	epoch := sh.epoch
	sh.entries[k] = &entry{session: s, epoch: epoch, since: now}
	r.saveLocked(k, online)
	sh.changes.addLocked(Change{Kind: Bound, Key: k, Epoch: epoch, Session: s, At: now})
	sh.mu.Unlock()

	r.bus.Announce(k, epoch)
	r.metrics.bound.Inc()
	r.binds.Add(1)
	if !wasOnline {
		r.metrics.online.Inc()
	}
	if old != nil {
		r.metrics.replaced.Inc()
		old.session.End(ReasonReplaced)
	}
	r.tell(sh)
	return epoch
}

// Binds returns how many sessions were bound since the start.
func (r *Registry) Binds() uint64 { return r.binds.Load() }

// Available says whether the session takes pushes from now on.
func (r *Registry) Available(k Key, epoch uint64, available bool) {
	kind := Available
	if !available {
		kind = Unavailable
	}
	sh := r.shard(k)
	sh.mu.Lock()
	if e := sh.entries[k]; e != nil && e.epoch == epoch {
		sh.changes.addLocked(Change{Kind: kind, Key: k, Epoch: epoch, Session: e.session, At: time.Now()})
	}
	sh.mu.Unlock()
	r.tell(sh)
}

// Suspend says that the session lost its connection and may be resumed: the endpoint counts as offline. Round counts the session's resumptions: word of the
// loss of a connection that comes after the session got its next one is late and says nothing.
func (r *Registry) Suspend(k Key, epoch uint64, round uint32, reason Reason) {
	now := clock()
	found, ok := r.current(k, epoch)
	if !ok {
		return
	}
	offline := offlinePresence(found.session, reason, now)
	sh := r.shard(k)
	sh.mu.Lock()
	e := sh.entries[k]
	ok = e != nil && e.epoch == epoch && e.round == round && !e.suspended
	if ok {
		e.suspended, e.since, e.reason = true, now, reason
		r.saveLocked(k, offline)
		sh.changes.addLocked(Change{Kind: Suspended, Key: k, Epoch: epoch, Session: found.session, Reason: reason, At: now})
	}
	sh.mu.Unlock()
	if ok {
		r.metrics.online.Dec()
		r.tell(sh)
	}
}

// Resume says that a session has a new connection, after a suspension or in place of one that was still open; round counts them. It is false if a newer session
// took its place meanwhile.
func (r *Registry) Resume(k Key, epoch uint64, round uint32) bool {
	now := clock()
	found, ok := r.current(k, epoch)
	if !ok {
		return false
	}
	online := onlinePresence(found.session, now)
	sh := r.shard(k)
	sh.mu.Lock()
	e := sh.entries[k]
	ok = e != nil && e.epoch == epoch
	was := ok && e.suspended
	if ok {
		e.round = max(e.round, round)
	}
	if was {
		e.suspended, e.since, e.reason = false, now, Reason{}
		r.saveLocked(k, online)
		sh.changes.addLocked(Change{Kind: Resumed, Key: k, Epoch: epoch, Session: found.session, At: now})
	}
	sh.mu.Unlock()
	if ok {
		r.metrics.resumed.Inc()
	}
	if was {
		r.metrics.online.Inc()
		r.tell(sh)
	}
	return ok
}

// Unbind says that the session has ended for good. Each session that was bound is unbound exactly once.
func (r *Registry) Unbind(k Key, epoch uint64, s Session, reason Reason) {
	now := clock()
	offline := offlinePresence(s, reason, now)
	sh := r.shard(k)
	sh.mu.Lock()
	e := sh.entries[k]
	last := e != nil && e.epoch == epoch
	wasOnline := last && !e.suspended
	if last {
		delete(sh.entries, k)
	}
	if wasOnline {
		r.saveLocked(k, offline)
	}
	sh.changes.addLocked(Change{Kind: Ended, Key: k, Epoch: epoch, Session: s, Reason: reason, At: now})
	sh.mu.Unlock()
	if last {
		r.bus.Withdraw(k, epoch)
	}
	if wasOnline {
		r.metrics.online.Dec()
	}
	r.metrics.ended.WithLabelValues(reason.Name).Inc()
	r.tell(sh)
}

// saveLocked stores a presence in the order of the changes, which only the shard's lock gives; the store does not block.
func (r *Registry) saveLocked(k Key, p Presence) { r.store.SavePresence(k, p) }

// Route hands a stanza to the endpoint's session, wherever it is. Errors: ErrOffline, ErrFull.
func (r *Registry) Route(k Key, st Stanza) error {
	sh := r.shard(k)
	sh.mu.Lock()
	e := sh.entries[k]
	var s Session
	if e != nil && !e.suspended {
		s = e.session
	}
	sh.mu.Unlock()
	switch {
	case s != nil:
		return s.Deliver(st)
	case e != nil:
		return ErrOffline
	}
	return r.bus.Route(k, st)
}

// RouteEpoch is Route to the session of this epoch alone: ErrOffline if the endpoint has a newer one or none.
func (r *Registry) RouteEpoch(k Key, epoch uint64, st Stanza) error {
	e, ok := r.current(k, epoch)
	if !ok || e.suspended {
		return ErrOffline
	}
	return e.session.Deliver(st)
}

// Session returns the endpoint's session on this node, also a suspended one.
func (r *Registry) Session(k Key) (Session, bool) {
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.entries[k]
	if e == nil {
		return nil, false
	}
	return e.session, true
}

// Disconnect ends the endpoint's session, if it has one, and reports whether it had.
func (r *Registry) Disconnect(k Key, reason Reason) bool {
	s, ok := r.Session(k)
	if ok {
		s.End(reason)
	}
	return ok
}

// Live returns the presence of an endpoint that has a session here.
func (r *Registry) Live(k Key) (Presence, bool) {
	sh := r.shard(k)
	sh.mu.Lock()
	e := sh.entries[k]
	var c entry
	if e != nil {
		c = *e
	}
	sh.mu.Unlock()
	if e == nil {
		return Presence{}, false
	}
	if c.suspended {
		return offlinePresence(c.session, c.reason, c.since), true
	}
	return onlinePresence(c.session, c.since), true
}

// Recover makes the stored presences true after a start: nobody is online.
func (r *Registry) Recover(ctx context.Context) error {
	if err := r.store.EndPresences(ctx, ReasonRestarted, time.Now()); err != nil {
		return fmt.Errorf("end presences of the last run: %w", err)
	}
	return nil
}

func (r *Registry) current(k Key, epoch uint64) (entry, bool) {
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.entries[k]
	if e == nil || e.epoch != epoch {
		return entry{}, false
	}
	return *e, true
}

func onlinePresence(s Session, since time.Time) Presence {
	p := presenceOf(s)
	p.State, p.Since = StateOnline, since
	return p
}

func offlinePresence(s Session, reason Reason, since time.Time) Presence {
	p := presenceOf(s)
	p.State, p.Since, p.Reason = StateOffline, since, reason.Name
	return p
}

func presenceOf(s Session) Presence {
	f := s.Facts()
	p := Presence{LastHeard: s.LastHeard().UTC().Truncate(time.Microsecond), Resource: f.Resource, Via: f.Via, TLSVersion: tlsVersion(f.TLSVersion)}
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
