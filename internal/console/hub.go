package console

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/remote"
	"signalbox/internal/telemetry"
)

const (
	followPage = 100         // events that are looked at together
	followRest = time.Second // after an error of the store
)

// hub knows who looks at what, and tells them when it changes. It implements endpoint.Watcher.
type hub struct {
	h *Handler

	mu      sync.Mutex
	viewers map[*viewer]struct{}
	watched map[string]map[*viewer]struct{} // by the endpoint's id; no empty ones
}

func newHub(h *Handler) *hub {
	return &hub{h: h, viewers: map[*viewer]struct{}{}, watched: map[string]map[*viewer]struct{}{}}
}

func (b *hub) add(v *viewer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.viewers[v] = struct{}{}
}

// remove forgets a viewer with all that it watches.
func (b *hub) remove(v *viewer) {
	b.watch(v, nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.viewers, v)
}

// watch replaces what a viewer watches.
func (b *hub) watch(v *viewer, ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range v.watching {
		if delete(b.watched[id], v); len(b.watched[id]) == 0 {
			delete(b.watched, id)
		}
	}
	v.watching = ids
	for _, id := range ids {
		if b.watched[id] == nil {
			b.watched[id] = map[*viewer]struct{}{}
		}
		b.watched[id][v] = struct{}{}
	}
}

// SessionChanged implements endpoint.Watcher.
func (b *hub) SessionChanged(c endpoint.Change) {
	if c.Key.Domain != b.h.deps.Domain || c.Kind == endpoint.Available || c.Kind == endpoint.Unavailable {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for v := range b.watched[c.Key.ID] {
		v.mark(c.Key.ID, endOfSession(c))
	}
}

// endOfSession returns the presence of an endpoint whose session has ended, which the store may not have yet; nil for other changes.
func endOfSession(c endpoint.Change) *endpoint.Presence {
	if c.Kind != endpoint.Ended {
		return nil
	}
	f := c.Session.Facts()
	return &endpoint.Presence{
		State: endpoint.StateOffline, Since: c.At, LastHeard: c.Session.LastHeard(), Reason: c.Reason.Name, Resource: f.Resource, RemoteAddr: f.Remote.String(), Via: f.Via,
	}
}

// run tells of events until ctx is done: of endpoints that change, and of sessions.
func (b *hub) run(ctx context.Context) error {
	for missed := false; ; {
		err := b.follow(ctx, func() {
			if missed {
				b.each(func(v *viewer) { v.say(message{Gap: true}) })
			}
			missed = false
		})
		if ctx.Err() != nil || errors.Is(err, events.ErrStopped) {
			return nil
		}
		if !missed {
			b.h.log.Warn("open pages are not told what happens, until events can be followed again", telemetry.Cause(err))
		}
		missed = true
		if !pause(ctx, followRest) {
			return nil
		}
	}
}

// follow tells of events from now on, once it has called begun.
func (b *hub) follow(ctx context.Context, begun func()) error {
	f, err := b.h.deps.Events.Follow(ctx, events.FromNow, events.Filter{Domain: b.h.deps.Domain, Types: []string{"endpoint.*", "session.*"}})
	if err != nil {
		return err
	}
	defer f.Close()
	begun()
	for {
		some, err := f.Next(ctx, followPage)
		if err != nil {
			return err
		}
		for i := range some {
			b.tell(ctx, &some[i])
		}
	}
}

// tell tells those whom an event concerns.
func (b *hub) tell(ctx context.Context, e *events.Event) {
	switch {
	case e.Type.Subject() == "session":
		b.tellSession(ctx, e)
	case e.Type == events.EndpointCreated, e.Type == events.EndpointUpdated, e.Type == events.EndpointDeleted:
		b.each(func(v *viewer) { v.changed(e.Endpoint) })
	}
}

// tellSession tells those who may act on a session how it is now.
func (b *hub) tellSession(ctx context.Context, e *events.Event) {
	var about struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(e.Data, &about); err != nil {
		return
	}
	id, err := remote.ParseID(about.ID)
	if err != nil {
		return
	}
	s, err := b.h.deps.Sessions.Session(ctx, b.h.deps.Domain, id)
	if err != nil {
		b.each(func(v *viewer) { v.say(message{Gap: true}) })
		return
	}
	r, err := b.h.deps.Endpoints.Endpoint(ctx, b.h.key(s.Endpoint))
	if err != nil {
		r = endpoint.Record{} // those who manage sessions everywhere are told
	}
	b.each(func(v *viewer) {
		who := v.who()
		if s.Technician.ID == who.ID || who.On(r.Groups, r.Labels).Manages {
			body := showSession(s, who)
			v.say(message{Session: &body})
		}
	})
}

// each calls f for every viewer. It must not block.
func (b *hub) each(f func(*viewer)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for v := range b.viewers {
		f(v)
	}
}
