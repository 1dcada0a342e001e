package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// wantHistory compares the history of a push with names such as "accepted replaced(collapse_key)".
func wantHistory(t *testing.T, s Store, what string, id push.ID, want string) {
	t.Helper()
	if got := stateNames(mustPush(t, s, id).History); got != want {
		t.Errorf("%s: history = %q, want %q", what, got, want)
	}
}

func testCollapse(t *testing.T, s Subject) {
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	keyed := push.Push{To: k, CollapseKey: "k", Payload: []byte("{}")}
	low := keyed
	low.Priority = push.Low
	first, elsewhere := accept(t, s, low), accept(t, s, push.Push{To: other, CollapseKey: "k"})
	plain, foreign := accept(t, s, push.Push{To: k}), accept(t, s, push.Push{To: k, CollapseKey: "other"})
	sent := accept(t, s, keyed)
	wantHistory(t, s, "older", first.ID, "accepted replaced(collapse_key)")
	if by := mustPush(t, s, first.ID).History[1].By; by != sent.ID {
		t.Errorf("replaced by %s, want %s", by, sent.ID)
	}
	diff(t, "what it ended", sent.Ended, []push.Ended{{ID: first.ID, State: push.Replaced}})
	advance(t, s, push.Transition{ID: sent.ID, Key: k, To: push.Sent})
	second := accept(t, s, keyed)
	wantHistory(t, s, "sent", sent.ID, "accepted sent")
	for name, id := range map[string]push.ID{"another endpoint's": elsewhere.ID, "without a key": plain.ID, "another key": foreign.ID, "newest": second.ID} {
		wantHistory(t, s, name, id, "accepted")
	}
	// What comes back finds a newer one, which waits.
	out := advance(t, s, push.Transition{ID: sent.ID, Key: k, To: push.Accepted, Reason: push.ReasonRedelivery})
	wantHistory(t, s, "come back", sent.ID, "accepted sent accepted(session_lost) replaced(collapse_key)")
	diff(t, "outcome", out, []push.Outcome{{Found: true, Applied: true, State: push.Replaced}})
	events, err := s.Events(t.Context())
	noError(t, err)
	if last := events[len(events)-1]; last.Kind != "push.replaced" || last.Data != push.ReasonCollapsed+":"+second.ID.String() || last.Push != sent.ID {
		t.Errorf("last event = %+v", last)
	}
	waiting, err := s.WaitingPushes(t.Context(), k, push.Cursor{}, 10)
	noError(t, err)
	if len(waiting) != 3 || waiting[2].CollapseKey != "k" {
		t.Errorf("waiting = %+v, want three of which the last has the key", waiting)
	}
}

// testCollapseComesBack holds what becomes of an older push that returns against what became of the newer one.
func testCollapseComesBack(t *testing.T, s Subject) {
	for i, tt := range []struct {
		newer []push.State
		want  push.State
	}{
		{nil, push.Replaced}, {[]push.State{push.Sent}, push.Replaced}, {[]push.State{push.Delivered}, push.Replaced}, {[]push.State{push.Handled}, push.Replaced},
		{[]push.State{push.Failed}, push.Replaced}, {[]push.State{push.Cancelled}, push.Accepted}, {[]push.State{push.Expired}, push.Accepted},
	} {
		k := addEndpoint(t, s, fmt.Sprintf("pc-%d", i))
		older := accept(t, s, push.Push{To: k, CollapseKey: "k"})
		advance(t, s, push.Transition{ID: older.ID, Key: k, To: push.Sent})
		newer := accept(t, s, push.Push{To: k, CollapseKey: "k"})
		for _, state := range tt.newer {
			advance(t, s, push.Transition{ID: newer.ID, Key: k, To: state})
		}
		noError(t, s.RecoverPushes(t.Context(), "server_restarted", day, nil))
		if got := mustPush(t, s, older.ID).State; got != tt.want {
			t.Errorf("with the newer push %v, the older one comes back as %s, want %s", tt.newer, got, tt.want)
		}
	}
}

// testCollapseSpares: what is on its way is not replaced, until it is given back.
func testCollapseSpares(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	older := accept(t, s, push.Push{To: k, CollapseKey: "k"})
	var asked []push.ID
	newer, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: k, CollapseKey: "k", TTL: time.Hour}, Claim: func(_ endpoint.Key, id push.ID) bool {
		asked = append(asked, id)
		return false
	}})
	noError(t, err)
	diff(t, "asked for", asked, []push.ID{older.ID})
	wantHistory(t, s, "spared", older.ID, "accepted")
	advance(t, s, push.Transition{ID: older.ID, Key: k, To: push.Accepted})
	wantHistory(t, s, "given back", older.ID, "accepted replaced(collapse_key)")
	advance(t, s, push.Transition{ID: newer.ID, Key: k, To: push.Accepted})
	wantHistory(t, s, "newest", newer.ID, "accepted")
	// After a crash it is found as well.
	third, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: k, CollapseKey: "k", TTL: time.Hour}, Claim: func(endpoint.Key, push.ID) bool { return false }})
	noError(t, err)
	noError(t, s.RecoverPushes(t.Context(), "server_restarted", day, nil))
	wantHistory(t, s, "spared before the crash", newer.ID, "accepted replaced(collapse_key)")
	wantHistory(t, s, "newest after the crash", third.ID, "accepted")
}

func testCollapseMakesRoom(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	post := func(p push.Push, q push.Queue) (push.Status, error) {
		p.To, p.TTL = k, time.Hour
		return s.AcceptPush(t.Context(), push.Submission{Push: p, Queue: q})
	}
	_, err := post(push.Push{CollapseKey: "k", Payload: make([]byte, 20)}, push.Queue{Count: 1, Bytes: 20})
	noError(t, err)
	if _, err := post(push.Push{CollapseKey: "other"}, push.Queue{Count: 1}); !errors.Is(err, push.ErrQueueFull) {
		t.Errorf("AcceptPush = %v, want ErrQueueFull", err)
	}
	second, err := post(push.Push{CollapseKey: "k", Payload: make([]byte, 20)}, push.Queue{Count: 1, Bytes: 20})
	noError(t, err)
	// One that is refused replaces nothing.
	if _, err := post(push.Push{CollapseKey: "k", Payload: make([]byte, 21)}, push.Queue{Count: 1, Bytes: 20}); !errors.Is(err, push.ErrQueueFull) {
		t.Errorf("AcceptPush = %v, want ErrQueueFull", err)
	}
	wantHistory(t, s, "second", second.ID, "accepted")
	// With TTL 0 it replaces and never waits.
	now, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: k, CollapseKey: "k"}})
	noError(t, err)
	wantHistory(t, s, "second", second.ID, "accepted replaced(collapse_key)")
	last, err := post(push.Push{CollapseKey: "k"}, push.Queue{Count: 10})
	noError(t, err)
	wantHistory(t, s, "now or never", now.ID, "accepted")
	wantHistory(t, s, "last", last.ID, "accepted")
}

func testCollapseTargets(t *testing.T, s Subject) {
	addEndpoint(t, s, "pc-1")
	addEndpoint(t, s, "pc-2")
	single := accept(t, s, push.Push{To: key("pc-2"), CollapseKey: "k"})
	older := spread(t, s, push.Push{CollapseKey: "k", TTL: time.Hour, Payload: []byte("{}")}, "pc-1", "pc-2")
	wantHistory(t, s, "single", single.ID, "accepted replaced(collapse_key)")
	newer := spread(t, s, push.Push{CollapseKey: "k", TTL: time.Hour, Payload: []byte("{}")}, "pc-1", "pc-2")
	want := []push.Ended{{ID: older.Targets[0].ID, Fanout: older.Fanout.ID, State: push.Replaced}, {ID: older.Targets[1].ID, Fanout: older.Fanout.ID, State: push.Replaced}}
	diff(t, "what it ended", newer.Ended, want)
	diff(t, "counts", mustFanout(t, s, older.Fanout.ID).Counts, push.Counts{push.Replaced: 2})
	if f := mustFanout(t, s, older.Fanout.ID); !f.Done() || f.CollapseKey != "k" {
		t.Errorf("older fan-out = %+v, want it done", f)
	}
	if by := mustPush(t, s, older.Targets[1].ID).History[1].By; by != newer.Targets[1].ID {
		t.Errorf("replaced by %s, want %s", by, newer.Targets[1].ID)
	}
}

// testDropOldest: a full queue drops what is no more urgent than the new push, the lowest priority first, and tells the endpoint once.
func testDropOldest(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	q := push.Queue{Count: 3, Bytes: 1000, DropOldest: true}
	post := func(p push.Push) (push.Status, error) {
		p.To, p.TTL = k, time.Hour
		return s.AcceptPush(t.Context(), push.Submission{Push: p, Queue: q})
	}
	must := func(p push.Push) push.ID {
		t.Helper()
		st, err := post(p)
		noError(t, err)
		return st.ID
	}
	high, normal, low := must(push.Push{}), must(push.Push{Priority: push.Normal}), must(push.Push{Priority: push.Low})
	next := must(push.Push{Priority: push.Normal})
	wantHistory(t, s, "lowest priority", low, "accepted rejected(dropped_oldest)")
	waiting, err := s.WaitingPushes(t.Context(), k, push.Cursor{}, 10)
	noError(t, err)
	resync := waiting[1]
	if resync.Type != push.ResyncType || resync.Priority != push.High || resync.Payload != nil || len(waiting) != 4 {
		t.Errorf("waiting = %+v, want a resync behind what waits with its priority", waiting)
	}
	must(push.Push{Priority: push.Normal})
	wantHistory(t, s, "oldest of its priority", normal, "accepted rejected(dropped_oldest)")
	if _, err := post(push.Push{Priority: push.Low}); !errors.Is(err, push.ErrQueueFull) {
		t.Errorf("AcceptPush of a low one = %v, want ErrQueueFull", err)
	}
	wantHistory(t, s, "high", high, "accepted")
	if n, err := s.CountWaiting(t.Context(), k); n != 4 || err != nil {
		t.Errorf("CountWaiting = %d, %v, want three and one resync", n, err)
	}
	// One that is on its way may be done before the endpoint could know of what is dropped now.
	advance(t, s, push.Transition{ID: resync.ID, Key: k, To: push.Sent})
	must(push.Push{Priority: push.Normal})
	wantHistory(t, s, "next", next, "accepted rejected(dropped_oldest)")
	if n, err := s.CountWaiting(t.Context(), k); n != 5 || err != nil {
		t.Errorf("CountWaiting = %d, %v, want three and two resyncs", n, err)
	}
	advance(t, s, push.Transition{ID: resync.ID, Key: k, To: push.Accepted, Reason: push.ReasonRedelivery})
	wantHistory(t, s, "resync", resync.ID, "accepted sent accepted(session_lost) replaced(collapse_key)")
}

func testDropOldestBytes(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	q := push.Queue{Count: 10, Bytes: 30, DropOldest: true}
	var small []push.ID
	for range 3 {
		small = append(small, accept(t, s, push.Push{To: k, Payload: make([]byte, 10)}).ID)
	}
	post := func(size int, claim push.Claim) error {
		_, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: k, TTL: time.Hour, Payload: make([]byte, size)}, Queue: q, Claim: claim})
		return err
	}
	if err := post(31, nil); !errors.Is(err, push.ErrQueueFull) {
		t.Errorf("AcceptPush of more than the queue holds = %v, want ErrQueueFull", err)
	}
	if err := post(15, func(_ endpoint.Key, id push.ID) bool { return id != small[0] }); err != nil {
		t.Errorf("AcceptPush = %v, want room", err)
	}
	wantHistory(t, s, "on its way", small[0], "accepted")
	wantHistory(t, s, "second", small[1], "accepted rejected(dropped_oldest)")
	wantHistory(t, s, "third", small[2], "accepted rejected(dropped_oldest)")
}

func testDropOldestTargets(t *testing.T, s Subject) {
	addEndpoint(t, s, "pc-1")
	addEndpoint(t, s, "pc-2")
	old := accept(t, s, push.Push{To: key("pc-2")})
	out, err := s.AcceptTargets(t.Context(), push.FanoutChunk{
		Push: push.Push{To: key(""), Type: "x", TTL: time.Hour}, Targets: 2, To: []string{"pc-1", "pc-2"}, Queue: push.Queue{Count: 1, DropOldest: true},
	})
	noError(t, err)
	wantHistory(t, s, "old", old.ID, "accepted rejected(dropped_oldest)")
	if out.Fanout.Open != 2 || len(out.Ended) != 1 {
		t.Errorf("fan-out = %+v, ended %v", out.Fanout, out.Ended)
	}
}

func testSchedule(t *testing.T, s Subject) {
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	at := time.Now().Add(time.Minute).Truncate(time.Microsecond).UTC()
	first := accept(t, s, push.Push{To: k, NotBefore: at, Payload: []byte("{}"), Priority: push.Low})
	second := accept(t, s, push.Push{To: k, NotBefore: at.Add(time.Minute)})
	plain := accept(t, s, push.Push{To: k, NotBefore: time.Now().Add(-time.Minute), Priority: push.Low})
	third := accept(t, s, push.Push{To: other, NotBefore: at})
	cancelled := accept(t, s, push.Push{To: k, NotBefore: at})
	advance(t, s, push.Transition{ID: cancelled.ID, Key: k, To: push.Cancelled})
	waiting := func() string {
		t.Helper()
		all, err := s.WaitingPushes(t.Context(), k, push.Cursor{}, 10)
		noError(t, err)
		return ids(all, func(p push.Push) string {
			return map[push.ID]string{first.ID: "first", second.ID: "second", plain.ID: "plain"}[p.ID]
		})
	}
	release := func(now time.Time, limit int, want ...endpoint.Key) {
		t.Helper()
		got, err := s.ReleasePushes(t.Context(), now, limit)
		noError(t, err)
		diff(t, "released", got, want)
	}
	if got := mustPush(t, s, first.ID); got.NotBefore != at || got.State != push.Accepted {
		t.Errorf("stored %+v, want it accepted, and not before %s", got, at)
	}
	release(at.Add(-time.Microsecond), 10)
	if got := waiting(); got != "plain" {
		t.Errorf("waiting = %q, want what is due", got)
	}
	if n, err := s.CountWaiting(t.Context(), k); n != 3 || err != nil {
		t.Errorf("CountWaiting = %d, %v, want what is not due as well", n, err)
	}
	noError(t, s.RecoverPushes(t.Context(), "server_restarted", day, nil))
	release(at, 1, k)
	release(at, 10, other)
	release(at, 10)
	if got := waiting(); got != "first plain" {
		t.Errorf("waiting = %q, want it in the order of acceptance", got)
	}
	// Once it was due it never comes back.
	advance(t, s, push.Transition{ID: first.ID, Key: k, To: push.Sent})
	release(at.Add(time.Second), 10)
	advance(t, s, push.Transition{ID: first.ID, Key: k, To: push.Accepted, Reason: push.ReasonRedelivery})
	if got := waiting(); got != "first plain" {
		t.Errorf("waiting = %q, want it again", got)
	}
	// A newer push replaces what is not due, too; what has expired is never released.
	keyed := accept(t, s, push.Push{To: k, NotBefore: at, CollapseKey: "k"})
	accept(t, s, push.Push{To: k, CollapseKey: "k"})
	wantHistory(t, s, "not due", keyed.ID, "accepted replaced(collapse_key)")
	_, err := s.ExpirePushes(t.Context(), third.Created.Add(2*time.Hour), 100)
	noError(t, err)
	release(at.Add(time.Hour), 10)
}

func testScheduledTargets(t *testing.T, s Subject) {
	addEndpoint(t, s, "pc-1")
	at := time.Now().Add(time.Minute).Truncate(time.Microsecond).UTC()
	out := spread(t, s, push.Push{TTL: time.Hour, NotBefore: at, Payload: []byte("{}")}, "pc-1")
	if got := mustFanout(t, s, out.Fanout.ID); got.NotBefore != at {
		t.Errorf("fan-out = %+v, want not before %s", got, at)
	}
	if all, err := s.WaitingPushes(t.Context(), key("pc-1"), push.Cursor{}, 10); len(all) != 0 || err != nil {
		t.Errorf("waiting = %v, %v, want none", all, err)
	}
	keys, err := s.ReleasePushes(context.WithoutCancel(t.Context()), at, 10)
	noError(t, err)
	diff(t, "released", keys, []endpoint.Key{key("pc-1")})
}
