package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

func testAccept(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	begin := time.Now().Add(-time.Second)
	p := push.Push{To: k, Type: "demo.ping", Payload: []byte{0, 1, 255}, Binary: true, Priority: push.Low, Ack: push.AckHandled, TTL: 90 * time.Second}
	st, err := s.AcceptPush(t.Context(), push.Submission{Push: p})
	noError(t, err)
	if st.ID <= 0 || st.Created.Before(begin) || st.Created.After(time.Now().Add(time.Second)) {
		t.Errorf("ID = %d, Created = %s, want an id and about now", st.ID, st.Created)
	}
	want := p
	want.ID, want.Created, want.Payload = st.ID, st.Created, nil
	status := push.Status{Push: want, State: push.Accepted, History: []push.Change{{State: push.Accepted, At: st.Created}}}
	diff(t, "answer", st, status)
	diff(t, "stored status", mustPush(t, s, st.ID), status)

	want.Payload = p.Payload
	waiting, err := s.WaitingPushes(t.Context(), k, push.Cursor{}, 10)
	noError(t, err)
	diff(t, "waiting", waiting, []push.Push{want})

	big := bytes.Repeat([]byte("x"), push.MaxPayloadBytes)
	last := st.ID
	for _, payload := range [][]byte{nil, {}, big} {
		st := accept(t, s, push.Push{To: k, Payload: payload})
		if st.ID <= last {
			t.Errorf("id %s is not greater than %s", st.ID, last)
		}
		last = st.ID
		waiting, err := s.WaitingPushes(t.Context(), k, push.Cursor{Priority: push.High, ID: st.ID - 1}, 1)
		noError(t, err)
		if len(waiting) != 1 || !bytes.Equal(waiting[0].Payload, payload) {
			t.Errorf("a payload of %d bytes is not kept", len(payload))
		}
	}
	if _, err := s.Push(t.Context(), domain, last+1); !errors.Is(err, push.ErrUnknown) {
		t.Errorf("Push = %v, want ErrUnknown", err)
	}
}

func testAcceptRefused(t *testing.T, s Subject) {
	noError(t, s.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: key("off")}, endpoint.Secret{}))
	for id, want := range map[string]error{"off": endpoint.ErrDisabled, "nobody": endpoint.ErrUnknown} {
		if _, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: key(id), TTL: time.Hour}}); !errors.Is(err, want) {
			t.Errorf("AcceptPush to %s = %v, want %v", id, err, want)
		}
	}
}

func testNowOrNever(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	st, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: k, Type: "x", Payload: []byte("{}")}})
	noError(t, err)
	if got := mustPush(t, s, st.ID); got.TTL != 0 || got.State != push.Accepted {
		t.Errorf("stored push has TTL %s and state %s", got.TTL, got.State)
	}
	waiting, err := s.WaitingPushes(t.Context(), k, push.Cursor{}, 10)
	noError(t, err)
	if len(waiting) != 0 {
		t.Errorf("WaitingPushes = %v, want none: the payload is not kept", waiting)
	}
	out := advance(t, s, push.Transition{ID: st.ID, Key: k, To: push.Expired, At: st.Created, Reason: push.ReasonOffline})
	diff(t, "outcome", out, []push.Outcome{{Found: true, Applied: true, State: push.Expired}})
}

func testQueueBounds(t *testing.T, s Subject) {
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	post := func(to endpoint.Key, payload int, q push.Queue) (push.Status, error) {
		return s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: to, TTL: time.Hour, Payload: make([]byte, payload)}, Queue: q})
	}
	var first push.Status
	for i := range 3 {
		st, err := post(k, 10, push.Queue{Count: 3, Bytes: 30})
		noError(t, err)
		if i == 0 {
			first = st
		}
	}
	for _, test := range []struct {
		name  string
		to    endpoint.Key
		size  int
		queue push.Queue
		want  error
	}{
		{"count", k, 0, push.Queue{Count: 3, Bytes: 1000}, push.ErrQueueFull},
		{"bytes", k, 1, push.Queue{Count: 10, Bytes: 30}, push.ErrQueueFull},
		{"another endpoint's queue", other, 10, push.Queue{Count: 1, Bytes: 10}, nil},
		{"bytes of nothing", k, 0, push.Queue{Count: 10, Bytes: 30}, nil},
	} {
		if _, err := post(test.to, test.size, test.queue); !errors.Is(err, test.want) {
			t.Errorf("%s: AcceptPush = %v, want %v", test.name, err, test.want)
		}
	}
	// With TTL 0 nothing of a push waits.
	now := push.Submission{Push: push.Push{To: k, Payload: []byte("{}")}, Queue: push.Queue{Count: 1, Bytes: 1}}
	st, err := s.AcceptPush(t.Context(), now)
	if err != nil {
		t.Fatalf("AcceptPush with TTL 0 = %v, want it beside a full queue", err)
	}
	advance(t, s, push.Transition{ID: st.ID, Key: k, To: push.Delivered})
	// Sent pushes count, final ones do not.
	advance(t, s, push.Transition{ID: first.ID, Key: k, To: push.Sent})
	if _, err := post(k, 10, push.Queue{Count: 4, Bytes: 1000}); !errors.Is(err, push.ErrQueueFull) {
		t.Errorf("AcceptPush beside a sent push = %v, want ErrQueueFull", err)
	}
	advance(t, s, push.Transition{ID: first.ID, Key: k, To: push.Delivered})
	if _, err := post(k, 10, push.Queue{Count: 4, Bytes: 30}); err != nil {
		t.Errorf("AcceptPush after a delivery = %v, want room", err)
	}
	if n, err := s.CountWaiting(t.Context(), k); n != 4 || err != nil {
		t.Errorf("CountWaiting = %d, %v, want 4", n, err)
	}
}

func testIdempotency(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	body := push.NewIdempotency("tok_1", "key", []byte("body"))
	sub := push.Submission{Push: push.Push{To: k, Type: "x", TTL: time.Hour, Payload: []byte("{}")}, Idempotency: &body, Queue: push.Queue{Count: 1, Bytes: 10}}
	first, err := s.AcceptPush(t.Context(), sub)
	noError(t, err)
	if first.Replayed {
		t.Error("the first answer is marked as replayed")
	}
	advance(t, s, push.Transition{ID: first.ID, Key: k, To: push.Delivered})
	no := false
	_, err = s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Enabled: &no}, day)
	noError(t, err)

	again, err := s.AcceptPush(t.Context(), sub)
	noError(t, err)
	want := first
	want.Replayed = true
	diff(t, "second answer, though the endpoint was disabled", again, want)

	other := push.NewIdempotency("tok_1", "key", []byte("other body"))
	sub.Idempotency = &other
	if _, err := s.AcceptPush(t.Context(), sub); !errors.Is(err, push.ErrKeyReused) {
		t.Errorf("AcceptPush with another body = %v, want ErrKeyReused", err)
	}
	// A refused request leaves the key free; another caller's key is another key.
	stranger := push.NewIdempotency("tok_2", "key", []byte("other body"))
	sub.Idempotency = &stranger
	if _, err := s.AcceptPush(t.Context(), sub); !errors.Is(err, endpoint.ErrDisabled) {
		t.Errorf("AcceptPush = %v, want ErrDisabled", err)
	}
	yes := true
	_, err = s.UpdateEndpoint(t.Context(), k, endpoint.Patch{Enabled: &yes}, day)
	noError(t, err)
	st, err := s.AcceptPush(t.Context(), sub)
	noError(t, err)
	if st.Replayed || st.ID == first.ID {
		t.Errorf("AcceptPush = %s, replayed %v, want a new push", st.ID, st.Replayed)
	}
}

func testExpire(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	short := accept(t, s, push.Push{To: k, TTL: time.Second, Payload: []byte("{}")})
	sent := accept(t, s, push.Push{To: k, TTL: 2 * time.Second})
	unanswered := accept(t, s, push.Push{To: k, TTL: 3 * time.Second, Ack: push.AckHandled})
	done := accept(t, s, push.Push{To: k, TTL: time.Second})
	long := accept(t, s, push.Push{To: k, TTL: time.Hour})
	never, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: k, Type: "x"}}) // TTL 0: the service decides about it, for a while
	noError(t, err)
	advance(t, s,
		push.Transition{ID: never.ID, Key: k, To: push.Sent},
		push.Transition{ID: sent.ID, Key: k, To: push.Sent},
		push.Transition{ID: unanswered.ID, Key: k, To: push.Delivered},
		push.Transition{ID: done.ID, Key: k, To: push.Delivered})

	if got, err := s.ExpirePushes(t.Context(), short.Created, 10); len(got) != 0 || err != nil {
		t.Errorf("ExpirePushes before any TTL = %v, %v, want none", got, err)
	}
	now := long.Created.Add(push.NowGrace - time.Second)
	first, err := s.ExpirePushes(t.Context(), now, 2)
	noError(t, err)
	rest, err := s.ExpirePushes(t.Context(), now, 10)
	noError(t, err)
	got := ids(append(first, rest...), func(st push.Status) string { return stateNames(st.History[1:]) })
	if want := "expired(ttl) sent expired(ttl) delivered failed(no_result)"; got != want || len(first) != 2 {
		t.Errorf("ExpirePushes = %q with %d in the first call, want %q with 2", got, len(first), want)
	}
	for _, st := range append(first, rest...) {
		diff(t, "returned status", st, mustPush(t, s, st.ID))
		if last := st.History[len(st.History)-1]; !last.At.Equal(now.Truncate(time.Microsecond)) || last.State != st.State {
			t.Errorf("last change of %s is %v, want %s at %s", st.ID, last, st.State, now)
		}
	}
	if n, err := s.CountWaiting(t.Context(), k); n != 2 || err != nil {
		t.Errorf("CountWaiting = %d, %v, want the long one and that with TTL 0", n, err)
	}
	late, err := s.ExpirePushes(t.Context(), never.Created.Add(push.NowGrace), 10)
	if noError(t, err); len(late) != 1 || late[0].ID != never.ID {
		t.Errorf("ExpirePushes after the grace of TTL 0 = %v, want that push alone", late)
	}
}

func testRecover(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	sent := accept(t, s, push.Push{To: k, Payload: []byte("{}")})
	waiting := accept(t, s, push.Push{To: k})
	unacked := accept(t, s, push.Push{To: k, Ack: push.AckNone})
	delivered := accept(t, s, push.Push{To: k, Ack: push.AckHandled})
	nowSent, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: k}})
	noError(t, err)
	nowWaiting, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: k}})
	noError(t, err)
	carried := accept(t, s, push.Push{To: k, Payload: []byte("{}")})
	nowCarried, err := s.AcceptPush(t.Context(), push.Submission{Push: push.Push{To: k}})
	noError(t, err)
	advance(t, s,
		push.Transition{ID: sent.ID, Key: k, To: push.Sent},
		push.Transition{ID: unacked.ID, Key: k, To: push.Sent},
		push.Transition{ID: delivered.ID, Key: k, To: push.Delivered},
		push.Transition{ID: nowSent.ID, Key: k, To: push.Sent},
		push.Transition{ID: carried.ID, Key: k, To: push.Sent})
	noError(t, s.RecoverPushes(t.Context(), "server_restarted", day, map[push.ID]bool{carried.ID: true, nowCarried.ID: true}))
	for _, test := range []struct {
		name string
		id   push.ID
		want string
	}{
		{"sent", sent.ID, "accepted sent accepted(server_restarted)"},
		{"accepted", waiting.ID, "accepted"},
		{"sent and final", unacked.ID, "accepted sent"},
		{"delivered", delivered.ID, "accepted delivered"},
		{"sent, now or never", nowSent.ID, "accepted sent expired(server_restarted)"},
		{"accepted, now or never", nowWaiting.ID, "accepted expired(server_restarted)"},
		{"carried by a session that is kept", carried.ID, "accepted sent"},
		{"carried, now or never", nowCarried.ID, "accepted"},
	} {
		if got := stateNames(mustPush(t, s, test.id).History); got != test.want {
			t.Errorf("%s: history = %q, want %q", test.name, got, test.want)
		}
	}
	all, err := s.WaitingPushes(t.Context(), k, push.Cursor{}, 10)
	noError(t, err)
	if len(all) != 2 || all[0].ID != sent.ID || string(all[0].Payload) != "{}" {
		t.Errorf("WaitingPushes = %v, want the recovered push with its payload first", all)
	}
}

func testWaiting(t *testing.T, s Subject) {
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	names := map[push.ID]string{}
	var sent push.Status
	for i, p := range []push.Priority{push.Low, push.Normal, push.High, push.Normal, push.High, push.Low, push.High} {
		st := accept(t, s, push.Push{To: k, Priority: p})
		names[st.ID] = fmt.Sprintf("%s%d", p, i)
		sent = st
	}
	accept(t, s, push.Push{To: other})
	advance(t, s, push.Transition{ID: sent.ID, Key: k, To: push.Sent})
	var got []push.Push
	var at push.Cursor
	for range 4 {
		page, err := s.WaitingPushes(t.Context(), k, at, 2)
		noError(t, err)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		at = push.Cursor{Priority: page[len(page)-1].Priority, ID: page[len(page)-1].ID}
	}
	want := "high2 high4 normal1 normal3 low0 low5"
	if order := ids(got, func(p push.Push) string { return names[p.ID] }); order != want {
		t.Errorf("WaitingPushes in pages of 2 = %q, want %q", order, want)
	}
	if none, err := s.WaitingPushes(t.Context(), key("nobody"), push.Cursor{}, 10); len(none) != 0 || err != nil {
		t.Errorf("WaitingPushes of nobody = %v, %v", none, err)
	}
	if n, err := s.CountWaiting(t.Context(), k); n != 7 || err != nil {
		t.Errorf("CountWaiting = %d, %v, want 7 with the sent one", n, err)
	}
}

func testList(t *testing.T, s Subject) {
	names := map[push.ID]string{}
	for i, step := range []struct {
		id    string
		state push.State
	}{{"a", push.Accepted}, {"b", push.Sent}, {"a", push.Delivered}, {"a", push.Failed}, {"b", push.Accepted}, {"a", push.Cancelled}, {"b", push.Failed}} {
		if i < 2 {
			addEndpoint(t, s, step.id)
		}
		st := accept(t, s, push.Push{To: key(step.id)})
		names[st.ID] = fmt.Sprintf("%s%d", step.id, i)
		if step.state != push.Accepted {
			advance(t, s, push.Transition{ID: st.ID, Key: key(step.id), To: step.state})
		}
	}
	for _, test := range []struct {
		id    string
		state push.State
		limit int
		want  string
	}{
		{"", "", 100, "b6 a5 b4 a3 a2 b1 a0"},
		{"", "", 2, "b6 a5 b4 a3 a2 b1 a0"},
		{"", push.Accepted, 1, "b4 a0"},
		{"", push.Sent, 1, "b1"},
		{"", push.Delivered, 10, "a2"},
		{"", push.Failed, 1, "b6 a3"},
		{"", push.Expired, 1, ""},
		{"", "strange", 1, ""},
		{"a", "", 2, "a5 a3 a2 a0"},
		{"b", push.Failed, 2, "b6"},
		{"nobody", "", 2, ""},
	} {
		var got []push.Status
		var before push.ID
		for range 10 {
			page, err := s.Pushes(t.Context(), key(test.id), test.state, before, test.limit)
			noError(t, err)
			if len(page) > test.limit {
				t.Errorf("Pushes returned %d, more than the limit %d", len(page), test.limit)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			before = page[len(page)-1].ID
		}
		if order := ids(got, func(st push.Status) string { return names[st.ID] }); order != test.want {
			t.Errorf("Pushes(%q, %q) in pages of %d = %q, want %q", test.id, test.state, test.limit, order, test.want)
		}
	}
}
