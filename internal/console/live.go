package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"signalbox/internal/access/technician"
	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
)

const (
	liveProtocol = "signalbox-live"
	liveQueue    = 256
	maxWatched   = 500
	gatherFor    = 200 * time.Millisecond // changes of presence that are told together
	lookEach     = 15 * time.Second       // how often it is asked whether somebody is still signed in, beside changes
)

// message is what an open page is told: one of these.
type message struct {
	Presence map[string]presenceBody `json:"presence,omitzero"`
	Session  *sessionBody            `json:"session,omitempty"`
	Endpoint string                  `json:"endpoint,omitempty"`
	Gap      bool                    `json:"gap,omitempty"`
}

// viewer is an open page. run alone looks and tells; the others leave notes for it.
type viewer struct {
	h      *Handler
	socket *socket
	wake   chan struct{} // holds a token while there are notes

	watching []string // guarded by the hub's lock; it changes in run and after it alone

	mu     sync.Mutex // after that of the hub
	member technician.Principal
	asked  []string // ids that the page wants to see, whether it may or not
	notes  notes
}

// notes are what is to be done for a page.
type notes struct {
	marks   map[string]*endpoint.Presence // whose presence has changed; of those that went offline how they are
	changed []string                      // that were created, changed or deleted, which may change what it may see
	fresh   bool                          // it wants to see something else
}

// serveLive tells an open page what changes.
func (h *Handler) serveLive(w http.ResponseWriter, r *http.Request) {
	s, ok := h.accept(w, r, maxBodyBytes, liveQueue, liveProtocol)
	if !ok {
		return
	}
	defer h.metrics.opened("live")()
	defer func() { s.leave() }()
	who := h.admit(r, s)
	v := &viewer{h: h, socket: s, wake: make(chan struct{}, 1), member: who}
	h.live.add(v)
	defer h.live.remove(v)
	ctx, stop := context.WithCancel(r.Context())
	var telling sync.WaitGroup
	telling.Go(func() { v.run(ctx) })
	h.metrics.ended(s.serve(r.Context(), v.handle))
	stop()
	telling.Wait()
}

// admit finds out whose page it is. Where it may not be open the socket ends: browsers show no other answer to scripts.
func (h *Handler) admit(r *http.Request, s *socket) technician.Principal {
	who, err := h.deps.Technicians.Authenticate(r.Context(), cookieOf(r))
	switch {
	case errors.Is(err, technician.ErrNotSignedIn):
		s.end(endSignedOut)
	case err != nil && r.Context().Err() != nil:
		s.end(endStopping)
	case err != nil:
		h.log.Warn("it is not known who opens a page", telemetry.Cause(err))
		s.end(endTryLater)
	case !h.belongs(s, "member "+who.ID, maxPerMember):
		s.end(endTooMany)
	}
	return who
}

// who is whose page it is, with the roles of now.
func (v *viewer) who() technician.Principal {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.member
}

// note leaves a note.
func (v *viewer) note(f func(n *notes)) {
	v.mu.Lock()
	f(&v.notes)
	v.mu.Unlock()
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// mark notes that the presence of an endpoint has changed.
func (v *viewer) mark(id string, ended *endpoint.Presence) {
	v.note(func(n *notes) {
		if n.marks == nil {
			n.marks = map[string]*endpoint.Presence{}
		}
		n.marks[id] = ended
	})
}

// changed notes that an endpoint was created, changed or deleted.
func (v *viewer) changed(id string) {
	v.mu.Lock()
	concerns := slices.Contains(v.asked, id) && !slices.Contains(v.notes.changed, id)
	v.mu.Unlock()
	if concerns {
		v.note(func(n *notes) { n.changed = append(n.changed, id) })
	}
}

// say sends a message; a page that does not take it is closed by that.
func (v *viewer) say(m message) {
	data, err := json.Marshal(m)
	if err != nil {
		v.h.log.Error("a page is not told what changed", telemetry.Cause(err)) // nothing in it can fail
		return
	}
	v.socket.send(data)
}

// handle takes what the page says: what it wants to see.
func (v *viewer) handle(ctx context.Context, text []byte) {
	ids, ok := parseWatch(text)
	if !ok {
		v.socket.end(endMalformed)
		return
	}
	if wait := v.h.rates.take(v.who().ID, members); wait > 0 && !pause(ctx, wait) {
		return
	}
	v.note(func(n *notes) { v.asked, n.fresh = ids, true })
}

// parseWatch reads {"watch":{"endpoints":["pc-1"]}}.
func parseWatch(text []byte) (ids []string, ok bool) {
	var m struct {
		Watch *struct {
			Endpoints []string `json:"endpoints"`
		} `json:"watch"`
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil || m.Watch == nil || len(m.Watch.Endpoints) > maxWatched {
		return nil, false
	}
	_, err := dec.Token()
	return m.Watch.Endpoints, errors.Is(err, io.EOF)
}

// run tells what changes and looks after the sign-in, until ctx is done or the socket ends.
func (v *viewer) run(ctx context.Context) {
	ticker := time.NewTicker(lookEach)
	defer ticker.Stop()
	changed := v.h.deps.Technicians.Changed()
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.socket.ended:
			return
		case <-v.wake:
			v.work(ctx)
			continue
		case <-changed:
		case <-ticker.C:
		}
		changed = v.h.deps.Technicians.Changed() // before the look, so that nothing is missed
		v.check(ctx)
	}
}

// check ends the socket of somebody who is not signed in any more, and takes the roles of now.
func (v *viewer) check(ctx context.Context) {
	who, err := v.h.deps.Technicians.Check(ctx, v.who().SignIn.Hash)
	if errors.Is(err, technician.ErrNotSignedIn) {
		v.socket.end(endSignedOut)
		return
	}
	if err != nil { // the next check tells
		return
	}
	v.mu.Lock()
	v.member = who
	v.mu.Unlock()
	v.look(ctx)
}

// work does what is noted. Changes of presence wait a little for others, to be told in one message.
func (v *viewer) work(ctx context.Context) {
	v.mu.Lock()
	gather := !v.notes.fresh
	v.mu.Unlock()
	if gather && !pause(ctx, gatherFor) {
		return
	}
	v.mu.Lock()
	n := v.notes
	v.notes = notes{}
	v.mu.Unlock()
	ids := slices.Collect(maps.Keys(n.marks))
	if n.fresh || len(n.changed) > 0 {
		before, now := v.watching, v.look(ctx)
		for _, id := range n.changed {
			if slices.Contains(before, id) || slices.Contains(now, id) { // of what it may not see it learns nothing
				v.say(message{Endpoint: id})
			}
		}
		if n.fresh {
			ids = now
		}
	}
	if n.fresh || len(ids) > 0 {
		v.tell(ctx, ids, n.marks)
	}
}

// look finds out what of what the page wants to see it may see, has the hub note changes of that, and returns it.
func (v *viewer) look(ctx context.Context) (ids []string) {
	v.mu.Lock()
	asked := v.asked
	v.mu.Unlock()
	for _, r := range v.read(ctx, asked) {
		ids = append(ids, r.ID)
	}
	v.h.live.watch(v, ids)
	return ids
}

// read returns those of some endpoints that the page may see.
func (v *viewer) read(ctx context.Context, ids []string) []endpoint.Record {
	if len(ids) == 0 {
		return nil
	}
	who := v.who()
	records, err := v.h.deps.Endpoints.ByID(ctx, v.h.deps.Domain, ids)
	if err != nil {
		v.h.log.Warn("an open page is not told what changed", telemetry.Cause(err))
		v.say(message{Gap: true})
	}
	return slices.DeleteFunc(records, func(r endpoint.Record) bool { return !who.On(r.Groups, r.Labels).See })
}

// tell tells how some endpoints are: as they are stored, but for those that have just gone offline.
func (v *viewer) tell(ctx context.Context, ids []string, ended map[string]*endpoint.Presence) {
	m := message{Presence: map[string]presenceBody{}}
	for _, r := range v.read(ctx, ids) { // again, after the hub notes changes, so that none is missed
		if _, live := v.h.deps.Registry.Live(r.Key); !live && ended[r.ID] != nil {
			r.Presence = *ended[r.ID]
		}
		m.Presence[r.ID] = showPresence(r.Presence, r.Unrest)
	}
	v.say(m)
}

// pause waits; false: ctx is done.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
