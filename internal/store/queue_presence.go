package store

import "signalbox/internal/endpoint"

// queuedPresences finds the presences of a queue by their endpoint. Its queue's lock guards it.
type queuedPresences struct {
	waiting map[endpoint.Key]*entry // the newest one that is queued
	taken   map[endpoint.Key]*entry // the newest one that is being written
	sealed  map[*entry]bool         // queued ones before other changes of their endpoint, which no newer presence may pass
}

func newPresences() queuedPresences {
	return queuedPresences{waiting: make(map[endpoint.Key]*entry), taken: make(map[endpoint.Key]*entry), sealed: make(map[*entry]bool)}
}

// replace gives the presence that waits for an endpoint another value, or reports false if it needs a place of its own.
func (p *queuedPresences) replace(k endpoint.Key, value endpoint.Presence) bool {
	e := p.waiting[k]
	if e == nil || p.sealed[e] {
		return false
	}
	e.op.(*savePresence).presence = value
	return true
}

// seal keeps what waits in front of op, which changes endpoints or presences itself.
func (p *queuedPresences) seal(op operation) {
	switch op := op.(type) {
	case *createEndpoint:
		p.sealOne(op.endpoint.Key)
	case *saveEndpoints:
		for i := range op.list {
			p.sealOne(op.list[i].Key)
		}
	case *deleteEndpoint:
		p.sealOne(op.key)
	case *endPresences:
		for k := range p.waiting {
			p.sealOne(k)
		}
	}
}

func (p *queuedPresences) sealOne(k endpoint.Key) {
	if e := p.waiting[k]; e != nil {
		p.sealed[e] = true
	}
}

// take says that e is being written.
func (p *queuedPresences) take(e *entry) {
	s, ok := e.op.(*savePresence)
	if !ok {
		return
	}
	delete(p.sealed, e)
	p.taken[s.key] = e
	if p.waiting[s.key] == e {
		delete(p.waiting, s.key)
	}
}

// settle says that e is no longer being written.
func (p *queuedPresences) settle(e *entry) {
	if s, ok := e.op.(*savePresence); ok && p.taken[s.key] == e {
		delete(p.taken, s.key)
	}
}

// putBack says that e was not written, and reports whether it is to be queued again. Who calls it for several goes from the newest to the oldest.
func (p *queuedPresences) putBack(e *entry) bool {
	s, ok := e.op.(*savePresence)
	if !ok {
		return true
	}
	p.settle(e)
	if p.waiting[s.key] != nil {
		return false
	}
	p.waiting[s.key] = e
	p.sealed[e] = true // other changes of its endpoint may have been queued while it was taken
	return true
}

// newest returns the newest presence of an endpoint that may not be durable yet.
func (p *queuedPresences) newest(k endpoint.Key) (endpoint.Presence, bool) {
	e := p.waiting[k]
	if e == nil {
		e = p.taken[k]
	}
	if e == nil {
		return endpoint.Presence{}, false
	}
	return e.op.(*savePresence).presence, true
}

// all returns what newest returns of every endpoint.
func (p *queuedPresences) all() map[endpoint.Key]endpoint.Presence {
	all := make(map[endpoint.Key]endpoint.Presence, len(p.waiting)+len(p.taken))
	for _, entries := range []map[endpoint.Key]*entry{p.taken, p.waiting} {
		for k, e := range entries {
			all[k] = e.op.(*savePresence).presence
		}
	}
	return all
}
