package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store"
)

// world is what everybody but the server knows: callers their answers, endpoints what they got and said. It outlives the server.
type world struct {
	epochs uint64 // given to sessions

	mu      sync.Mutex
	latest  time.Time // that a clock has shown
	faults  []string
	pushes  map[push.ID]*known
	keys    map[string]push.ID                   // by idempotency key: what the first answer said
	pending map[endpoint.Key][]confirmation      // said by the endpoint and not confirmed to it
	fresh   []push.ID                            // confirmed to the endpoint since the last look
	got     map[endpoint.Key][]push.Push         // by the endpoint, in order
	arrival map[endpoint.Key]map[push.ID]push.ID // by the endpoint, each once
}

// known is what is known of one push.
type known struct {
	push      push.Push
	answered  bool // somebody has the 202
	cancelled bool // somebody has the answer that it is
	unsure    int  // requests to cancel it whose answers nobody has
	settling  bool // the endpoint confirmed it in the end
	wired     bool // was handed to a session
	arrived   bool // the endpoint has read it
	receipt   bool // the endpoint sent one
	result    push.State
	covered   push.State // the furthest that the server confirmed as kept; empty: nothing
}

type confirmation struct {
	id push.ID
	to push.State
}

func newWorld() *world {
	return &world{
		pushes: map[push.ID]*known{}, keys: map[string]push.ID{}, pending: map[endpoint.Key][]confirmation{}, got: map[endpoint.Key][]push.Push{},
		arrival: map[endpoint.Key]map[push.ID]push.ID{},
	}
}

func key(who int) endpoint.Key {
	return endpoint.Key{Domain: domain, ID: fmt.Sprintf("pc-%d", who)}
}

// register makes the endpoints, if they are not there.
func (w *world) register(t *testing.T, s *store.Store) {
	t.Helper()
	for who := range endpoints {
		e := endpoint.Endpoint{Key: key(who), Enabled: true, Created: time.Now(), Updated: time.Now()}
		if err := s.CreateEndpoint(t.Context(), e, endpoint.Secret{}); err != nil && !errors.Is(err, endpoint.ErrExists) {
			t.Fatal(err)
		}
	}
}

func (w *world) faultLocked(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faultLocked(format, args...)
}

// knownLocked returns what is known of a push, which may have been on its way before its 202 was.
func (w *world) knownLocked(id push.ID) *known {
	k := w.pushes[id]
	if k == nil {
		k = &known{}
		w.pushes[id] = k
	}
	return k
}

// answered notes a 202.
func (w *world) answered(st push.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.knownLocked(st.ID)
	k.answered, k.push = true, st.Push
	w.tickLocked()
}

func (w *world) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tickLocked()
}

// tickLocked notes what the clock shows, which may be less than in an earlier life.
func (w *world) tickLocked() {
	if now := time.Now(); now.After(w.latest) {
		w.latest = now
	}
}

// repeated holds the answer to a request with a key against the first one.
func (w *world) repeated(name string, st push.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first, ok := w.keys[name]
	switch {
	case !ok:
		w.keys[name] = st.ID
	case first != st.ID:
		w.faultLocked("key %s was answered with %s, and later with %s", name, first, st.ID)
	case !st.Replayed:
		w.faultLocked("key %s was answered twice, and the second is not marked as a replay", name)
	}
}

// cancelling notes that a request to cancel is under way: if the server dies over it, either outcome is true.
func (w *world) cancelling(id push.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.knownLocked(id).unsure++
}

func (w *world) cancelled(id push.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.knownLocked(id)
	k.cancelled = true
	k.unsure--
}

func (w *world) notCancelled(id push.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.knownLocked(id).unsure--
}

// toConfirm reports whether the endpoint has not confirmed the push in the end, and notes that it does.
func (w *world) toConfirm(id push.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.knownLocked(id)
	first := !k.settling
	k.settling = true
	return first
}

// sent notes that the server handed a push to a session.
func (w *world) sent(p push.Push) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.knownLocked(p.ID)
	if k.cancelled {
		w.faultLocked("%s was sent after its caller was told that it is cancelled", p.ID)
	}
	w.tickLocked()
	if w.latest.Before(k.push.NotBefore) {
		w.faultLocked("%s was sent before %s", p.ID, k.push.NotBefore)
	}
	if k.covered != "" && p.TTL > 0 {
		w.faultLocked("%s was sent again though its %s was confirmed as kept", p.ID, k.covered)
	}
	k.wired = true
}

// arrived notes that the endpoint has read a push; its effect happens once.
func (w *world) arrived(to endpoint.Key, p push.Push) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.arrival[to] == nil {
		w.arrival[to] = map[push.ID]push.ID{}
	}
	if p.To != to {
		w.faultLocked("%s of %s arrived at %s", p.ID, p.To.ID, to.ID)
	}
	if _, again := w.arrival[to][p.ID]; !again {
		w.arrival[to][p.ID] = p.ID
		w.got[to] = append(w.got[to], p)
	}
	w.knownLocked(p.ID).arrived = true
}

// nth returns one of the pushes that the endpoint has, the newest first.
func (w *world) nth(k endpoint.Key, n int) (push.Push, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.got[k]
	if n >= len(all) {
		return push.Push{}, false
	}
	return all[len(all)-1-n], true
}

// arrivals returns the pushes that the endpoint has.
func (w *world) arrivals(k endpoint.Key) []push.Push {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got[k])
}

// some returns the id of one of the pushes that callers know.
func (w *world) some(n int) (push.ID, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []push.ID
	for id, k := range w.pushes {
		if k.answered {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return 0, false
	}
	slices.Sort(ids)
	return ids[n%len(ids)], true
}

// confirmed notes that the endpoint says that it has the push, or what became of it. An endpoint has one result, the first.
func (w *world) confirmed(id push.ID, to push.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.knownLocked(id)
	if to == push.Delivered {
		k.receipt = true
	} else {
		k.result = to
	}
	c, owner := confirmation{id, to}, w.ownerLocked(id)
	if !slices.Contains(w.pending[owner], c) {
		w.pending[owner] = append(w.pending[owner], c)
	}
}

func (w *world) ownerLocked(id push.ID) endpoint.Key {
	for to, ids := range w.arrival {
		if _, has := ids[id]; has {
			return to
		}
	}
	return endpoint.Key{}
}

// covered notes that the server says that it keeps what the endpoint said.
func (w *world) covered(id push.ID, to push.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, owner := w.knownLocked(id), w.ownerLocked(id)
	w.fresh = append(w.fresh, id)
	if k.covered == "" || k.covered == push.Delivered {
		k.covered = to
	}
	w.pending[owner] = slices.DeleteFunc(w.pending[owner], func(c confirmation) bool { return c == confirmation{id, to} })
}

// look asks for every push whose receipt or result was confirmed since the last look: it cannot be waiting any more, or expire later.
func (w *world) look(ctx context.Context, svc *push.Service) {
	w.mu.Lock()
	fresh := w.fresh
	w.fresh = nil
	w.mu.Unlock()
	for _, id := range fresh {
		st, err := svc.Status(ctx, domain, id)
		if err != nil {
			w.fault("%s was confirmed to its endpoint, and is gone: %v", id, err)
		} else if st.State == push.Accepted || st.State == push.Sent && st.Ack != push.AckNone {
			w.fault("%s was confirmed to its endpoint as kept, and is %v", id, states(st.History))
		}
	}
}

// due returns the pushes that are not over and live beyond that time: nothing may keep them from their endpoints.
func (w *world) due(ctx context.Context, svc *push.Service, beyond time.Time) (ids []push.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.pushes {
		st, err := svc.Status(ctx, domain, id)
		if err == nil && st.TTL > 0 && st.CollapseKey == "" && st.NotBefore.Before(beyond.Add(-settling)) && (st.State == push.Accepted || st.State == push.Sent && st.Ack != push.AckNone) && st.Expires().After(beyond) {
			ids = append(ids, id)
		}
	}
	return ids
}

// arrivedAll says which of the pushes the endpoints do not have.
func (w *world) arrivedAll(ids []push.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if !w.pushes[id].arrived {
			w.faultLocked("%s waited, and never came to its endpoint, which was there", id)
		}
	}
}

func (w *world) unconfirmed(k endpoint.Key) []confirmation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.pending[k])
}

// resultOf returns what the endpoint says became of a push: the same whenever it is asked.
func (w *world) resultOf(id push.ID, n int) push.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.knownLocked(id); k.result != "" {
		return k.result
	}
	if n%3 == 0 {
		return push.Failed
	}
	return push.Handled
}

// check holds every push that anybody knows of against the server's word, at the end of all.
func (w *world) check(ctx context.Context, svc *push.Service) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, k := range w.pushes {
		st, err := svc.Status(ctx, domain, id)
		switch {
		case errors.Is(err, push.ErrUnknown) && !k.answered && !k.wired:
		case err != nil:
			w.faultLocked("%s is gone: %v (answered %v, sent %v)", id, err, k.answered, k.wired)
		default:
			w.checkReplacedLocked(ctx, svc, st)
			for _, f := range faultsOf(st, k) {
				w.faultLocked("%s (ack %s, ttl %s, %v): %s", id, st.Ack, st.TTL, states(st.History), f)
			}
		}
	}
}

// checkReplacedLocked holds a push that was replaced against the one that took its place.
func (w *world) checkReplacedLocked(ctx context.Context, svc *push.Service, st push.Status) {
	if st.State != push.Replaced {
		return
	}
	by := st.History[len(st.History)-1].By
	newer, err := svc.Status(ctx, domain, by)
	if err != nil || by <= st.ID || newer.To != st.To || newer.CollapseKey != st.CollapseKey {
		w.faultLocked("%s was replaced by %s, which is %+v, %v", st.ID, by, newer.Push, err)
	}
}

func (w *world) checkFaults(script []life) {
	if len(w.faults) > 0 {
		w.faults = append(w.faults, fmt.Sprintf("script: %+v", script))
	}
}

func states(history []push.Change) (all []string) {
	for _, c := range history {
		text := string(c.State)
		if c.Reason != "" {
			text += "(" + c.Reason + ")"
		}
		all = append(all, text)
	}
	return all
}
