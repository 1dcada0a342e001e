package endpoint

import (
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

// Registry knows the live sessions of every endpoint on this node and routes to them. It is safe for concurrent use.
//
// One session of an endpoint leads: the newest that takes stanzas, else the newest. Pushes go to it, its facts are the endpoint's presence, and watchers hear of
// it alone: a session that begins to lead is Bound in a new epoch.
type Registry struct {
	bus      Bus
	store    Presences
	most     int
	cfg      PresenceConfig
	watchers []Watcher
	metrics  registryMetrics
	seed     maphash.Seed
	shards   [shards]shard
	probes   probes

	recovered atomic.Bool  // what is stored is true, so events may be made of it
	leaving   atomic.Int64 // until when endpoints that are sent away need not be back, in microseconds since 1970; 0: none are
}

type shard struct {
	mu      sync.Mutex
	epoch   uint64           // the newest in this shard
	order   uint64           // of the newest entry in this shard
	entries map[Key][]*entry // never empty lists; the first entry leads
	habits  map[Key]*habit   // of endpoints whose sessions come and go
	changes outbox
}

// entry is one session of an endpoint: bound, or suspended and resumable.
type entry struct {
	session   Session
	epoch     uint64 // of its lead; 0: it does not lead
	order     uint64 // grows when it is bound and when it becomes available
	available bool   // takes stanzas
	suspended bool
	round     uint32    // of the session's newest connection: its resumptions
	since     time.Time // of being suspended or not
	reason    Reason    // of the suspension
}

// NewRegistry returns an empty registry; store is told of every presence. An endpoint has up to most sessions, each with a resource of its own; with 1, a newer
// session takes the place of an older one whatever their resources.
func NewRegistry(bus Bus, store Presences, most int, reg prometheus.Registerer) *Registry {
	r := &Registry{bus: bus, store: store, most: most, cfg: DefaultPresence(), metrics: newRegistryMetrics(reg), seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].entries, r.shards[i].habits = make(map[Key][]*entry), make(map[Key]*habit)
	}
	r.probes.running = make(map[Session]*probe)
	return r
}

// Configure takes the place of DefaultPresence. It must not be called once sessions are bound.
func (r *Registry) Configure(cfg PresenceConfig) { r.cfg = cfg }

// Watch adds a watcher; watchers are called in the order in which they were added. It must not be called once sessions are bound.
func (r *Registry) Watch(w Watcher) { r.watchers = append(r.watchers, w) }

// clock returns the time as it is stored, so that a presence reads the same while it is live and later.
func clock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func (r *Registry) shard(k Key) *shard {
	return &r.shards[maphash.Comparable(r.seed, k)%shards]
}

// Route hands a stanza to the endpoint's leading session, wherever it is. Errors: ErrOffline, ErrFull.
func (r *Registry) Route(k Key, st Stanza) error {
	sh := r.shard(k)
	sh.mu.Lock()
	all := sh.entries[k]
	var s Session
	if len(all) > 0 && !all[0].suspended {
		s = all[0].session
	}
	sh.mu.Unlock()
	switch {
	case s != nil:
		return s.Deliver(st)
	case len(all) > 0:
		return ErrOffline
	}
	return r.bus.Route(k, st)
}

// RouteEpoch is Route to the session that leads in this epoch: ErrOffline if there is a newer epoch or no session.
func (r *Registry) RouteEpoch(k Key, epoch uint64, st Stanza) error {
	sh := r.shard(k)
	sh.mu.Lock()
	all := sh.entries[k]
	var s Session
	if len(all) > 0 && all[0].epoch == epoch && !all[0].suspended {
		s = all[0].session
	}
	sh.mu.Unlock()
	if s == nil {
		return ErrOffline
	}
	return s.Deliver(st)
}

// Session returns the endpoint's leading session on this node, also a suspended one.
func (r *Registry) Session(k Key) (Session, bool) {
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	all := sh.entries[k]
	if len(all) == 0 {
		return nil, false
	}
	return all[0].session, true
}

// AppendSessions appends all sessions of the endpoint on this node, the leading one first, also suspended ones.
func (r *Registry) AppendSessions(to []Session, k Key) []Session {
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, e := range sh.entries[k] {
		to = append(to, e.session)
	}
	return to
}

// Disconnect ends the endpoint's sessions, if it has any, and reports whether it had. It is forgotten that machines contested its identity.
func (r *Registry) Disconnect(k Key, reason Reason) bool {
	r.reconcile(k)
	all := r.AppendSessions(nil, k)
	for _, s := range all {
		s.End(reason)
	}
	return len(all) > 0
}

// Live returns the presence of an endpoint that has a session here.
func (r *Registry) Live(k Key) (Presence, bool) {
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	all := sh.entries[k]
	if len(all) == 0 {
		return Presence{}, false
	}
	return all[0].presence(), true
}
