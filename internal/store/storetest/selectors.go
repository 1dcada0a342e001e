package storetest

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// addMember creates an endpoint with labels and groups.
func addMember(t *testing.T, s Store, id string, labels map[string]string, groups ...string) endpoint.Key {
	t.Helper()
	e := endpoint.Endpoint{Key: key(id), Enabled: true, Created: day, Updated: day, Labels: labels, Groups: groups}
	noError(t, s.CreateEndpoint(t.Context(), e, endpoint.Secret{}))
	return e.Key
}

func group(name string) push.Selector { return push.Selector{Group: name} }

// choose stores the next targets of a fan-out with a selector.
func choose(t *testing.T, s Store, c push.FanoutChunk) push.AcceptedChunk {
	t.Helper()
	if c.Push.TTL == 0 {
		c.Push = push.Push{ID: c.Push.ID, Type: "x", TTL: time.Hour, Payload: []byte("{}")}
	}
	c.Push.To.Domain = domain
	out, err := s.AcceptTargets(t.Context(), c)
	noError(t, err)
	return out
}

func testMembers(t *testing.T, s Subject) {
	addMember(t, s, "pc-1", map[string]string{"site": "paris", "a:b": "\"c\""}, "lab", "all")
	addMember(t, s, "pc-2", map[string]string{"site": "rome"}, "lab", "all", "all")
	addMember(t, s, "pc-3", map[string]string{"site": "paris"}, "all")
	other := endpoint.Endpoint{Key: endpoint.Key{Domain: "other.example", ID: "pc-1"}, Groups: []string{"lab"}}
	noError(t, s.CreateEndpoint(t.Context(), other, endpoint.Secret{}))
	members := func(what string, sel push.Selector, want string) {
		t.Helper()
		got := choose(t, s, push.FanoutChunk{Selector: sel, Limit: 10}).Targets
		n, err := s.CountMembers(t.Context(), domain, sel, 10)
		noError(t, err)
		if text := ids(got, func(t push.Target) string { return t.To }); text != want || n != len(got) {
			t.Errorf("%s: members %q of %d, want %q", what, text, n, want)
		}
	}
	paris := map[string]string{"site": "paris"}
	members("group", group("lab"), "pc-1 pc-2")
	members("label", push.Selector{Labels: paris}, "pc-1 pc-3")
	members("both", push.Selector{Group: "lab", Labels: paris}, "pc-1")
	members("odd names", push.Selector{Labels: map[string]string{"a:b": "\"c\""}}, "pc-1")
	members("two labels", push.Selector{Labels: map[string]string{"site": "paris", "a:b": "\"c\""}}, "pc-1")
	members("nobody", push.Selector{Group: "all", Labels: map[string]string{"site": "oslo"}}, "")
	members("part of a name", group("la"), "")
	if n, err := s.CountMembers(t.Context(), domain, group("all"), 2); n != 2 || err != nil {
		t.Errorf("CountMembers up to 2 = %d, %v", n, err)
	}
	_, err := s.UpdateEndpoint(t.Context(), key("pc-1"), endpoint.Patch{Groups: []string{"new"}, Labels: map[string]string{}}, day)
	noError(t, err)
	noError(t, s.DeleteEndpoint(t.Context(), key("pc-3")))
	members("changed", group("lab"), "pc-2")
	members("new", group("new"), "pc-1")
	members("deleted", push.Selector{Labels: paris}, "")
}

func testSelected(t *testing.T, s Subject) {
	for i := range 5 {
		addMember(t, s, fmt.Sprintf("pc-%d", i), nil, "lab")
	}
	addEndpoint(t, s, "stranger")
	no := false
	_, err := s.UpdateEndpoint(t.Context(), key("pc-3"), endpoint.Patch{Enabled: &no}, day)
	noError(t, err)
	body := push.NewIdempotency("tok_1", "key", []byte("body"))
	c := push.FanoutChunk{Targets: 5, Selector: group("lab"), Limit: 3, Idempotency: &body}
	first := choose(t, s, c)
	if got := ids(first.Targets, func(t push.Target) string { return t.To }); got != "pc-0 pc-1 pc-2" || first.Fanout.Stored != 3 || first.Fanout.Done() {
		t.Errorf("first chunk %q of %+v", got, first.Fanout)
	}
	if again := choose(t, s, c); !again.Fanout.Replayed || again.Fanout.ID != first.Fanout.ID || again.Targets != nil {
		t.Errorf("repeated chunk %+v, want the fan-out replayed", again)
	}
	// Who leaves before its turn is no target; who comes is.
	_, err = s.UpdateEndpoint(t.Context(), key("pc-4"), endpoint.Patch{Groups: []string{}}, day)
	noError(t, err)
	addMember(t, s, "pc-9", nil, "lab")
	c.Push.ID = first.Fanout.ID
	rest := choose(t, s, c)
	if got := ids(rest.Targets, func(t push.Target) string { return t.To + t.Reason }); got != "pc-3endpoint_disabled pc-9" {
		t.Errorf("second chunk = %q", got)
	}
	want := push.Fanout{
		Push:    push.Push{ID: first.Fanout.ID, To: key(""), Type: "x", TTL: time.Hour, Created: first.Created},
		Targets: 5, Stored: 5, Refused: 1, Open: 4, Selector: group("lab"), Reached: math.MaxInt64, Counts: push.Counts{push.Accepted: 4, push.Rejected: 1},
	}
	diff(t, "fan-out", mustFanout(t, s, first.Fanout.ID), want)
	waiting, err := s.WaitingPushes(t.Context(), key("pc-9"), push.Cursor{}, 10)
	noError(t, err)
	if len(waiting) != 1 || string(waiting[0].Payload) != "{}" {
		t.Errorf("waiting = %+v, want the push with its payload", waiting)
	}
	refuse := errors.New("refused")
	if _, err := s.AcceptTargets(t.Context(), push.FanoutChunk{Push: push.Push{To: key("")}, Selector: group("x"), Limit: 3, Refuse: refuse}); !errors.Is(err, refuse) {
		t.Errorf("AcceptTargets that is to be refused = %v", err)
	}
	c.Push.ID, c.Refuse = 0, refuse
	if again := choose(t, s, c); !again.Fanout.Replayed {
		t.Errorf("a repetition that is to be refused = %+v, want the first answer", again)
	}
}

// admit admits late joiners until there are no more and returns the new targets.
func admit(t *testing.T, s Store, now time.Time) string {
	t.Helper()
	var all []push.Admitted
	for {
		out, more, err := s.AdmitLate(t.Context(), now, push.Queue{Count: 10}, nil, nil)
		noError(t, err)
		if all = append(all, out.Targets...); !more {
			return ids(all, func(a push.Admitted) string { return a.To.ID + a.Reason })
		}
	}
}

func testLate(t *testing.T, s Subject) {
	addMember(t, s, "pc-0", nil, "lab")
	addMember(t, s, "pc-1", nil)
	p := push.Push{Type: "x", TTL: time.Hour, Payload: []byte("{}"), Priority: push.Low, Ack: push.AckHandled}
	late := choose(t, s, push.FanoutChunk{Push: p, Targets: 1, Selector: group("lab"), Limit: 10, Late: true}).Fanout
	early := choose(t, s, push.FanoutChunk{Push: p, Targets: 1, Selector: group("lab"), Limit: 10}).Fanout
	now := late.Created.Add(time.Second)
	if got := admit(t, s, now); got != "" {
		t.Errorf("admitted %q before anybody came", got)
	}
	join := func(id string, groups ...string) {
		t.Helper()
		_, err := s.UpdateEndpoint(t.Context(), key(id), endpoint.Patch{Groups: groups}, day)
		noError(t, err)
	}
	join("pc-1", "lab")
	join("pc-0", "lab", "other")
	addMember(t, s, "pc-2", nil, "lab")
	addMember(t, s, "pc-3", nil, "other")
	if got := admit(t, s, now); got != "pc-1 pc-2" {
		t.Errorf("admitted %q, want who came to match", got)
	}
	join("pc-1")
	join("pc-1", "lab")
	if got := admit(t, s, now); got != "" {
		t.Errorf("admitted %q, want nobody twice", got)
	}
	f := mustFanout(t, s, late.ID)
	if f.Targets != 3 || f.Stored != 3 || f.Open != 3 || !f.Late || mustFanout(t, s, early.ID).Targets != 1 {
		t.Errorf("fan-out %+v, want three targets of the late one alone", f)
	}
	waiting, err := s.WaitingPushes(t.Context(), key("pc-2"), push.Cursor{}, 10)
	noError(t, err)
	if len(waiting) != 1 || string(waiting[0].Payload) != "{}" || waiting[0].Priority != push.Low || waiting[0].Ack != push.AckHandled {
		t.Fatalf("waiting = %+v, want the push as it was", waiting)
	}
	if st := mustPush(t, s, waiting[0].ID); !st.Expires().Equal(late.Expires()) || st.Fanout != late.ID {
		t.Errorf("late target %+v, want it to end with the others at %s", st, late.Expires())
	}
}

// testLateEnds: late joining ends with the push, or when it is closed; the payload goes when nobody can need it any more.
func testLateEnds(t *testing.T, s Subject) {
	late := func() push.Fanout {
		return choose(t, s, push.FanoutChunk{Selector: group("lab"), Limit: 10, Late: true}).Fanout
	}
	closed, expired := late(), late()
	noError(t, s.CloseFanout(t.Context(), domain, closed.ID))
	if err := s.CloseFanout(t.Context(), "other.example", expired.ID); !errors.Is(err, push.ErrUnknown) {
		t.Errorf("CloseFanout in another domain = %v, want ErrUnknown", err)
	}
	addMember(t, s, "pc-1", nil, "lab")
	if got := admit(t, s, expired.Created); got != "pc-1" {
		t.Errorf("admitted %q, want it to be a target of the open one", got)
	}
	addMember(t, s, "pc-2", nil, "lab")
	if got := admit(t, s, expired.Expires()); got != "" || mustFanout(t, s, expired.ID).Late {
		t.Errorf("admitted %q after the end, late %v", got, mustFanout(t, s, expired.ID).Late)
	}
	if mustFanout(t, s, closed.ID).Targets != 0 {
		t.Error("a closed fan-out took a late joiner")
	}
}

func testLateRefused(t *testing.T, s Subject) {
	choose(t, s, push.FanoutChunk{Selector: group("lab"), Limit: 10, Late: true})
	k := addEndpoint(t, s, "pc-1")
	for range 10 {
		accept(t, s, push.Push{To: k})
	}
	_, err := s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Groups: []string{"lab"}}, day)
	noError(t, err)
	if got := admit(t, s, time.Now()); got != "pc-1queue_full" {
		t.Errorf("admitted %q, want it refused", got)
	}
	_, err = s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Groups: []string{"lab", "other"}}, day)
	noError(t, err)
	if got := admit(t, s, time.Now()); got != "" {
		t.Errorf("admitted %q, want who was refused to stay so", got)
	}
}

func testBatch(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	noError(t, s.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: key("off")}, endpoint.Secret{}))
	body := push.NewIdempotency("tok_1", "key", []byte("body"))
	wrong := push.FieldErrors{{Pointer: "/type", Detail: "wrong"}}
	item := func(id string) push.Push { return push.Push{To: key(id), Type: "x", TTL: time.Hour, CollapseKey: "k"} }
	b := push.BatchSubmission{
		Items: []push.Push{item("pc-1"), item("nobody"), item("off"), item("pc-1"), item("pc-1"), {To: k, Type: "x", TTL: time.Hour}},
		Errs:  []error{nil, nil, nil, wrong, nil, nil}, Idempotency: &body, Queue: push.Queue{Count: 1},
	}
	out, err := s.AcceptBatch(t.Context(), b)
	noError(t, err)
	for i, want := range []error{nil, endpoint.ErrUnknown, endpoint.ErrDisabled, wrong, nil, push.ErrQueueFull} {
		got := out.Items[i].Err
		if (want == nil) != (got == nil) || want != nil && got.Error() != want.Error() {
			t.Errorf("item %d = %v, want %v", i, got, want)
		}
	}
	first, second := out.Items[0].Status.ID, out.Items[4].Status.ID
	wantHistory(t, s, "first", first, "accepted replaced(collapse_key)")
	wantHistory(t, s, "second", second, "accepted")
	diff(t, "ended", out.Ended, []push.Ended{{ID: first, State: push.Replaced}})
	again, err := s.AcceptBatch(t.Context(), b)
	noError(t, err)
	if !again.Replayed || len(again.Items) != 6 || again.Items[0].Status.ID != first || !again.Items[4].Status.Replayed || !errors.Is(again.Items[5].Err, push.ErrQueueFull) {
		t.Errorf("repeated batch = %+v", again)
	}
	other := push.NewIdempotency("tok_1", "key", []byte("other"))
	b.Idempotency = &other
	if _, err := s.AcceptBatch(t.Context(), b); !errors.Is(err, push.ErrKeyReused) {
		t.Errorf("AcceptBatch with another body = %v, want ErrKeyReused", err)
	}
}

// testLongBatch: more than one transaction takes, of which some was stored by an earlier request that was interrupted.
func testLongBatch(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	body := push.NewIdempotency("tok_1", "long", []byte("body"))
	many := push.BatchSubmission{Idempotency: &body}
	for range push.MaxBatch {
		many.Items, many.Errs = append(many.Items, push.Push{To: k, Type: "x", TTL: time.Hour}), append(many.Errs, nil)
	}
	begun := many
	begun.Items, begun.Errs = many.Items[:300], many.Errs[:300]
	part, err := s.AcceptBatch(t.Context(), begun)
	noError(t, err)
	whole, err := s.AcceptBatch(t.Context(), many)
	noError(t, err)
	last := push.ID(0)
	for i, item := range whole.Items {
		if item.Err != nil || item.Status.ID <= last || item.Status.Replayed != (i < 300) || i < 300 && item.Status.ID != part.Items[i].Status.ID {
			t.Fatalf("item %d of a batch that goes on = %+v", i, item)
		}
		last = item.Status.ID
	}
	again, err := s.AcceptBatch(t.Context(), many)
	noError(t, err)
	if !again.Replayed || whole.Replayed || again.Items[push.MaxBatch-1].Status.ID != last {
		t.Errorf("repeated batch: replayed %v, the one before %v", again.Replayed, whole.Replayed)
	}
}
