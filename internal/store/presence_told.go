package store

import (
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/presences"
)

// told decides when events tell of a presence.
type told presences.Told

// news reports whether a presence is something else than what was told. Moved says that an open session was taken over: then the place counts, too.
func (t *told) news(p *endpoint.Presence, moved bool) bool {
	return p.State != t.State || moved && p.State == endpoint.StateOnline && p.Place() != t.Place
}

// follow notes that p takes the place of a presence of the state before, and returns the kind of event to write now: a quiet one where there is nothing to tell, or not
// yet.
func (t *told) follow(before endpoint.State, p *endpoint.Presence, now time.Time) (kind int64) {
	t.Due = time.Time{}
	if !t.news(p, before == endpoint.StateOnline) {
		return quietKind(p.State)
	}
	if p.Tell.After(now) {
		t.Due = p.Tell
		return quietKind(p.State)
	}
	return t.tell(p)
}

// tell notes that p is told now, and returns the kind of event.
func (t *told) tell(p *endpoint.Presence) (kind int64) {
	*t = told{State: p.State}
	if p.State == endpoint.StateOnline {
		t.Place = p.Place()
	}
	return presenceKind(p.State)
}

// quietKind is the kind of event for those who read the endpoint's timeline alone.
func quietKind(s endpoint.State) int64 {
	if s == endpoint.StateOnline {
		return outbox.Resumed
	}
	return outbox.Detached
}
