package endpoint

// outbox holds the changes of a shard's sessions on their way to the watchers, in the order in which they happened. The shard's lock guards it.
type outbox struct {
	queue   []Change
	telling bool // a goroutine tells the watchers; it also tells what is added meanwhile
}

func (o *outbox) addLocked(c Change) { o.queue = append(o.queue, c) }

// tell tells the watchers what stands in the shard's outbox. One goroutine at a time does, so that a change never overtakes an older one, however long the teller
// of that was held up; the others do not wait for it.
func (r *Registry) tell(sh *shard) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.changes.telling {
		return
	}
	sh.changes.telling = true
	defer func() { sh.changes.telling = false }()
	for len(sh.changes.queue) > 0 {
		c := sh.changes.queue[0]
		sh.changes.queue = sh.changes.queue[1:]
		r.callLocked(sh, c)
	}
	sh.changes.queue = nil // keeps no session alive
}

// callLocked calls the watchers without the shard's lock, and returns with it.
func (r *Registry) callLocked(sh *shard, c Change) {
	sh.mu.Unlock()
	defer sh.mu.Lock()
	for _, w := range r.watchers {
		w.SessionChanged(c)
	}
}
