package endpoint

import "sync"

// Resumptions finds sessions by the ids under which endpoints resume them (XEP-0198 section 5). All methods may be called concurrently and never block.
type Resumptions interface {
	// Keep makes a session resumable by an id, which nobody can guess.
	Keep(id string, s Session)
	// Find returns the session that is resumed by this id.
	Find(id string) (Session, bool)
	// Forget says that nothing is resumed by this id any more.
	Forget(id string)
	// All returns every session that can be resumed.
	All() []Session
}

// NewResumptions returns resumptions that end with the process: after a restart every resume is answered by item-not-found, and what was on its way comes from the store.
func NewResumptions() Resumptions { return &remembered{sessions: make(map[string]Session)} }

type remembered struct {
	mu       sync.Mutex
	sessions map[string]Session
}

func (r *remembered) Keep(id string, s Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[id] = s
}

func (r *remembered) Find(id string) (Session, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.sessions[id]
	return s, ok
}

func (r *remembered) Forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, id)
}

func (r *remembered) All() []Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Session, 0, len(r.sessions))
	for _, s := range r.sessions {
		all = append(all, s)
	}
	return all
}
