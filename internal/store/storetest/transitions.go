package storetest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

var allStates = []push.State{
	push.Accepted, push.Sent, push.Delivered, push.Handled, push.Failed, push.Expired, push.Replaced, push.Cancelled, push.Rejected,
}

func testTransitions(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	st := accept(t, s, push.Push{To: k, Ack: push.AckHandled, Payload: []byte("{}")})
	out := advance(t, s,
		push.Transition{ID: st.ID, Key: k, To: push.Sent, At: day},
		push.Transition{ID: st.ID, Key: k, To: push.Accepted, At: day.Add(time.Second), Reason: push.ReasonRedelivery},
		push.Transition{ID: st.ID, Key: k, To: push.Replaced, At: day.Add(2 * time.Second)},
		push.Transition{ID: st.ID, Key: k, To: push.Delivered, At: day.Add(3 * time.Second)},
		push.Transition{ID: st.ID + 1, Key: k, To: push.Sent, At: day})
	diff(t, "outcomes", out, []push.Outcome{
		{Found: true, Applied: true, State: push.Sent, Ack: push.AckHandled},
		{Found: true, Applied: true, State: push.Accepted, Ack: push.AckHandled},
		{Found: true, Applied: true, State: push.Replaced, Ack: push.AckHandled},
		{Found: true, State: push.Replaced, Ack: push.AckHandled},
		{},
	})
	got := mustPush(t, s, st.ID)
	diff(t, "history", got.History, []push.Change{
		{State: push.Accepted, At: st.Created}, {State: push.Sent, At: day}, {State: push.Accepted, At: day.Add(time.Second), Reason: push.ReasonRedelivery},
		{State: push.Replaced, At: day.Add(2 * time.Second)},
	})

	// Without done they are applied all the same, and in order with what comes later.
	st = accept(t, s, push.Push{To: k})
	s.AdvancePushes([]push.Transition{{ID: st.ID, Key: k, To: push.Sent, At: day}}, nil)
	out = advance(t, s, push.Transition{ID: st.ID, Key: k, To: push.Accepted, At: day})
	diff(t, "outcome behind a mark", out, []push.Outcome{{Found: true, Applied: true, State: push.Accepted}})

	// Without a time it is now.
	advance(t, s, push.Transition{ID: st.ID, Key: k, To: push.Sent})
	if at := mustPush(t, s, st.ID).History[3].At; at.Before(st.Created) {
		t.Errorf("a change without a time is of %s, want now", at)
	}
}

func testForeignTransition(t *testing.T, s Subject) {
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	st := accept(t, s, push.Push{To: k})
	out := advance(t, s,
		push.Transition{ID: st.ID, Key: other, To: push.Delivered},
		push.Transition{ID: st.ID, Key: endpoint.Key{Domain: "other.example", ID: k.ID}, To: push.Delivered})
	diff(t, "outcomes", out, []push.Outcome{{}, {}})
	if got := mustPush(t, s, st.ID).State; got != push.Accepted {
		t.Errorf("state = %s, another endpoint's receipt must change nothing", got)
	}
}

func testResults(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	for _, ack := range []push.Ack{push.AckDelivered, push.AckHandled} {
		st := accept(t, s, push.Push{To: k, Ack: ack, Payload: []byte("{}")})
		result := json.RawMessage(`{"exit": 0,"text":"<&>"}`)
		advance(t, s,
			push.Transition{ID: st.ID, Key: k, To: push.Delivered, At: day},
			push.Transition{ID: st.ID, Key: k, To: push.Handled, At: day, Result: result},
			push.Transition{ID: st.ID, Key: k, To: push.Failed, At: day, Result: json.RawMessage(`{}`)})
		got := mustPush(t, s, st.ID)
		if got.State != push.Handled || string(got.Result) != string(result) {
			t.Errorf("ack %s: state %s with result %s, want handled with %s", ack, got.State, got.Result, result)
		}
	}
}

func testHistoryBound(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	st := accept(t, s, push.Push{To: k})
	var ts []push.Transition
	for i := range 100 {
		at := day.Add(time.Duration(i) * time.Minute)
		ts = append(ts, push.Transition{ID: st.ID, Key: k, To: push.Sent, At: at},
			push.Transition{ID: st.ID, Key: k, To: push.Accepted, At: at.Add(time.Second), Reason: push.ReasonRedelivery})
	}
	advance(t, s, ts...)
	advance(t, s, push.Transition{ID: st.ID, Key: k, To: push.Delivered, At: day.Add(200 * time.Minute)})
	h := mustPush(t, s, st.ID).History
	if len(h) > 64 || len(h) < 60 {
		t.Fatalf("history has %d entries, want about 64", len(h))
	}
	if !h[0].At.Equal(st.Created) || h[len(h)-1].State != push.Delivered || !h[len(h)-2].At.Equal(ts[199].At) {
		t.Errorf("first %v, last %v: the acceptance and the newest changes must stay", h[0], h[len(h)-2:])
	}
	for i := 1; i < len(h); i++ {
		if !push.Next(h[i-1].State, h[i].State, push.AckDelivered) {
			t.Errorf("history goes from %s to %s at %d", h[i-1].State, h[i].State, i)
		}
	}
}

func testEvents(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	st := accept(t, s, push.Push{To: k, Payload: []byte("{}")})
	advance(t, s,
		push.Transition{ID: st.ID, Key: k, To: push.Sent, At: day},
		push.Transition{ID: st.ID, Key: k, To: push.Sent, At: day},
		push.Transition{ID: st.ID, Key: k, To: push.Accepted, At: day, Reason: `odd "reason"`},
		push.Transition{ID: st.ID, Key: k, To: push.Cancelled, At: day.Add(time.Second), Reason: push.ReasonCancelled})
	events, err := s.Events(t.Context())
	noError(t, err)
	event := func(kind string, at time.Time, reason string) Event {
		return Event{Kind: kind, Domain: domain, Subject: "pc-1", Push: st.ID, At: at, Data: reason}
	}
	want := []Event{
		event("push.accepted", st.Created, ""), event("push.sent", day, ""), event("push.accepted", day, `odd "reason"`),
		event("push.cancelled", day.Add(time.Second), push.ReasonCancelled),
	}
	diff(t, "events", events, want)

	// They stay readable when their endpoint is gone, also behind another one and one of the same id.
	noError(t, s.DeleteEndpoint(t.Context(), k))
	addEndpoint(t, s, "pc-2")
	addEndpoint(t, s, "pc-1")
	events, err = s.Events(t.Context())
	noError(t, err)
	diff(t, "events of an endpoint that is gone", events[:len(want)], want)
	last := events[len(events)-1]
	last.At = time.Time{}
	diff(t, "last event", last, Event{Kind: "endpoint.deleted", Domain: domain, Subject: "pc-1", Data: "{}"})
}

// testModel compares sequences of transitions with push.Next and push.Final.
func testModel(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	rapid.Check(t, func(r *rapid.T) {
		ack := rapid.SampledFrom([]push.Ack{push.AckDelivered, push.AckNone, push.AckHandled}).Draw(r, "ack")
		steps := rapid.SliceOfN(rapid.SampledFrom(allStates), 1, 12).Draw(r, "steps")
		st, err := s.AcceptPush(context.Background(), push.Submission{Push: push.Push{To: k, TTL: time.Hour, Ack: ack, Payload: []byte("{}")}})
		if err != nil {
			r.Fatal(err)
		}
		ts := make([]push.Transition, len(steps))
		for i, to := range steps {
			ts[i] = push.Transition{ID: st.ID, Key: k, To: to, At: day}
		}
		out := advance(t, s, ts...)
		state, history := push.Accepted, "accepted"
		for i, to := range steps {
			applied := push.Next(state, to, ack)
			if applied {
				state, history = to, history+" "+string(to)
			}
			if want := (push.Outcome{Found: true, Applied: applied, State: state, Ack: ack}); out[i] != want {
				r.Fatalf("step %d to %s: outcome %+v, want %+v", i, to, out[i], want)
			}
		}
		got := mustPush(t, s, st.ID)
		if got.State != state || stateNames(got.History) != history {
			r.Fatalf("state %s with history %q, want %s with %q", got.State, stateNames(got.History), state, history)
		}
		checkKept(r, t, s, got)
	})
}

// checkKept checks that a push waits, counts and has its payload exactly as long as it should, and ends it.
func checkKept(r *rapid.T, t *testing.T, s Subject, st push.Status) {
	n, err := s.CountWaiting(t.Context(), st.To)
	if want := map[bool]int{true: 0, false: 1}[push.Final(st.State, st.Ack)]; n != want || err != nil {
		r.Fatalf("CountWaiting in state %s = %d, %v, want %d", st.State, n, err, want)
	}
	waiting, err := s.WaitingPushes(t.Context(), st.To, push.Cursor{}, 10)
	if err != nil {
		r.Fatal(err)
	}
	if st.State == push.Accepted && (len(waiting) != 1 || string(waiting[0].Payload) != "{}") || st.State != push.Accepted && len(waiting) != 0 {
		r.Fatalf("WaitingPushes in state %s = %v", st.State, waiting)
	}
	if _, err := s.ExpirePushes(t.Context(), time.Now().Add(2*time.Hour), 10); err != nil {
		r.Fatal(err)
	}
}
