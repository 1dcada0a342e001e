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

// spread posts a fan-out in one chunk and returns what became of its targets.
func spread(t *testing.T, s Store, p push.Push, to ...string) push.AcceptedChunk {
	t.Helper()
	p.To.Domain = domain
	if p.Type == "" {
		p.Type = "demo.ping"
	}
	out, err := s.AcceptTargets(t.Context(), push.FanoutChunk{Push: p, Targets: len(to), To: to})
	noError(t, err)
	return out
}

func mustFanout(t *testing.T, s Store, id push.ID) push.Fanout {
	t.Helper()
	f, err := s.Fanout(t.Context(), domain, id)
	noError(t, err)
	return f
}

func testFanout(t *testing.T, s Subject) {
	addEndpoint(t, s, "pc-1")
	addEndpoint(t, s, "pc-2")
	p := push.Push{Type: "policy", Payload: []byte(`{"n":1}`), Priority: push.Low, Ack: push.AckHandled, TTL: 90 * time.Second}
	out := spread(t, s, p, "pc-2", "pc-1")
	want := push.Fanout{Push: p, Targets: 2, Stored: 2, Open: 2}
	want.ID, want.To.Domain, want.Created, want.Payload = out.Fanout.ID, domain, out.Created, nil
	diff(t, "answer", out.Fanout, want)
	want.Counts = push.Counts{push.Accepted: 2}
	diff(t, "stored fan-out", mustFanout(t, s, out.Fanout.ID), want)

	for i, id := range []string{"pc-2", "pc-1"} {
		if last := out.Fanout.ID + push.ID(i); out.Targets[i].ID <= last {
			t.Errorf("id of target %d is %d, want it behind %d", i, out.Targets[i].ID, last)
		}
		one := p
		one.ID, one.To, one.Created, one.Fanout, one.Payload = out.Targets[i].ID, key(id), out.Created, out.Fanout.ID, nil
		status := push.Status{Push: one, State: push.Accepted, History: []push.Change{{State: push.Accepted, At: out.Created}}}
		diff(t, "target", mustPush(t, s, one.ID), status)
		waiting, err := s.WaitingPushes(t.Context(), key(id), push.Cursor{}, 10)
		noError(t, err)
		one.Payload, one.Fanout = p.Payload, 0 // whoever sends it need not know
		diff(t, "waiting", waiting, []push.Push{one})
	}
	events, err := s.Events(t.Context())
	noError(t, err)
	diff(t, "events", events, []Event{
		{Kind: "push.accepted", Domain: domain, Subject: "pc-2", Push: out.Targets[0].ID, At: out.Created},
		{Kind: "push.accepted", Domain: domain, Subject: "pc-1", Push: out.Targets[1].ID, At: out.Created},
	})
	if next := accept(t, s, push.Push{To: key("pc-1")}); next.ID <= out.Targets[1].ID {
		t.Errorf("the next push is %s, want it behind %s", next.ID, out.Targets[1].ID)
	}
	for _, other := range []struct {
		domain string
		id     push.ID
	}{{"other.example", out.Fanout.ID}, {domain, out.Fanout.ID + 1}} {
		if _, err := s.Fanout(t.Context(), other.domain, other.id); !errors.Is(err, push.ErrUnknown) {
			t.Errorf("Fanout(%s, %s) = %v, want ErrUnknown", other.domain, other.id, err)
		}
	}
}

func testFanoutRefused(t *testing.T, s Subject) {
	addEndpoint(t, s, "pc-1")
	noError(t, s.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: key("off")}, endpoint.Secret{}))
	for _, id := range []string{"many", "large"} {
		addEndpoint(t, s, id)
	}
	accept(t, s, push.Push{To: key("many")})
	accept(t, s, push.Push{To: key("many")})
	accept(t, s, push.Push{To: key("large"), Payload: make([]byte, 29)})
	to := []string{"nobody", "many", "pc-1", "off", "large"}
	chunk := push.FanoutChunk{
		Push: push.Push{To: key(""), Type: "x", TTL: time.Hour, Payload: []byte("{}")}, Targets: len(to), To: to, Queue: push.Queue{Count: 2, Bytes: 30},
	}
	out, err := s.AcceptTargets(t.Context(), chunk)
	noError(t, err)
	got := ids(out.Targets, func(t push.Target) string { return "[" + t.Reason + "]" })
	if want := "[unknown_endpoint] [queue_full] [] [endpoint_disabled] [queue_full]"; got != want || out.Fanout.Refused != 4 || out.Fanout.Open != 1 {
		t.Errorf("targets = %s with %d refused and %d open, want %s", got, out.Fanout.Refused, out.Fanout.Open, want)
	}
	diff(t, "counts", mustFanout(t, s, out.Fanout.ID).Counts, push.Counts{push.Accepted: 1, push.Rejected: 4})
	st := mustPush(t, s, out.Targets[0].ID)
	diff(t, "refused target", st, push.Status{
		Push:  push.Push{ID: out.Targets[0].ID, To: key("nobody"), Type: "x", Priority: push.High, TTL: time.Hour, Created: out.Created, Fanout: out.Fanout.ID},
		State: push.Rejected, History: []push.Change{{State: push.Rejected, At: out.Created, Reason: push.ReasonUnknown}},
	})
	if _, err := s.Push(t.Context(), "other.example", st.ID); !errors.Is(err, push.ErrUnknown) {
		t.Errorf("Push in another domain = %v, want ErrUnknown", err)
	}
	// With TTL 0 nothing waits, and where all are refused there is a fan-out all the same.
	chunk.Push.TTL, chunk.Targets, chunk.To = 0, 1, []string{"many"}
	if out, err := s.AcceptTargets(t.Context(), chunk); err != nil || out.Fanout.Refused != 0 {
		t.Errorf("AcceptTargets with TTL 0 = %+v, %v, want it beside a full queue", out.Fanout, err)
	}
	chunk.To = []string{"nobody"}
	if out, err = s.AcceptTargets(t.Context(), chunk); err != nil || out.Fanout.Refused != 1 || !out.Fanout.Done() {
		t.Errorf("AcceptTargets for nobody = %+v, %v, want one refused target", out.Fanout, err)
	}
}

// testFanoutInterrupted stores a fan-out in chunks whose requests are repeated with the same key.
func testFanoutInterrupted(t *testing.T, s Subject) {
	addEndpoint(t, s, "pc-1")
	addEndpoint(t, s, "pc-2")
	body := push.NewIdempotency("tok_1", "key", []byte("body"))
	chunk := push.FanoutChunk{
		Push: push.Push{To: key(""), Type: "x", TTL: time.Hour, Payload: []byte("{}")}, Targets: 2, To: []string{"pc-1"}, Idempotency: &body,
	}
	first, err := s.AcceptTargets(t.Context(), chunk)
	noError(t, err)
	if first.Fanout.Done() || first.Fanout.Stored != 1 {
		t.Errorf("fan-out = %+v, want one of two targets", first.Fanout)
	}
	advance(t, s, push.Transition{ID: first.Targets[0].ID, Key: key("pc-1"), To: push.Delivered})

	again, err := s.AcceptTargets(t.Context(), chunk)
	noError(t, err)
	want := first.Fanout
	want.Replayed, want.Open = true, 0
	diff(t, "repeated request", again.Fanout, want)
	if again.Targets != nil {
		t.Errorf("a repeated request stored %v", again.Targets)
	}
	other := push.NewIdempotency("tok_1", "key", []byte("other body"))
	reused := chunk
	reused.Idempotency = &other
	if _, err := s.AcceptTargets(t.Context(), reused); !errors.Is(err, push.ErrKeyReused) {
		t.Errorf("AcceptTargets with another body = %v, want ErrKeyReused", err)
	}
	chunk.Push.ID, chunk.To = first.Fanout.ID, []string{"pc-2"}
	if _, err := s.AcceptTargets(t.Context(), chunk); err == nil {
		t.Error("a chunk that does not follow what is stored is accepted")
	}
	chunk.Stored = 1
	last, err := s.AcceptTargets(t.Context(), chunk)
	noError(t, err)
	if last.Fanout.Stored != 2 || last.Fanout.Open != 1 || last.Fanout.Replayed {
		t.Errorf("fan-out = %+v, want both targets, one of them open", last.Fanout)
	}
	waiting, err := s.WaitingPushes(t.Context(), key("pc-2"), push.Cursor{}, 10)
	noError(t, err)
	if len(waiting) != 1 || string(waiting[0].Payload) != "{}" {
		t.Errorf("waiting = %v, want the payload that the first target had lost already", waiting)
	}
}

func testFanoutNow(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	out := spread(t, s, push.Push{Payload: []byte("{}")}, "pc-1")
	waiting, err := s.WaitingPushes(t.Context(), k, push.Cursor{}, 10)
	noError(t, err)
	if len(waiting) != 0 {
		t.Errorf("WaitingPushes = %v, want none: the payload is not kept", waiting)
	}
	got := advance(t, s, push.Transition{ID: out.Targets[0].ID, Key: k, To: push.Expired, Reason: push.ReasonOffline})
	diff(t, "outcome", got, []push.Outcome{{Found: true, Applied: true, State: push.Expired, Fanout: out.Fanout.ID}})
	if f := mustFanout(t, s, out.Fanout.ID); !f.Done() {
		t.Errorf("fan-out = %+v, want it done", f)
	}
}

// testTargetLife ends the targets of a fan-out in every way and counts those that are open.
func testTargetLife(t *testing.T, s Subject) {
	var to []string
	for i := range 8 {
		to = append(to, fmt.Sprintf("pc-%d", i))
		addEndpoint(t, s, to[i])
	}
	out := spread(t, s, push.Push{TTL: time.Minute, Payload: []byte("{}"), Ack: push.AckHandled}, to...)
	step := func(i int, state push.State) push.Transition {
		return push.Transition{ID: out.Targets[i].ID, Key: key(to[i]), To: state}
	}
	check := func(what string, open int, counts push.Counts) {
		t.Helper()
		f := mustFanout(t, s, out.Fanout.ID)
		if f.Open != open {
			t.Errorf("%s: %d targets are open, want %d", what, f.Open, open)
		}
		diff(t, what, f.Counts, counts)
	}
	advance(t, s, step(0, push.Sent), step(0, push.Delivered), step(0, push.Handled), step(0, push.Handled),
		step(1, push.Sent), step(1, push.Delivered), step(2, push.Sent), step(3, push.Cancelled))
	check("changes", 6, push.Counts{push.Handled: 1, push.Delivered: 1, push.Sent: 1, push.Cancelled: 1, push.Accepted: 4})
	noError(t, s.RecoverPushes(t.Context(), "server_restarted", day, nil))
	check("a restart", 6, push.Counts{push.Handled: 1, push.Delivered: 1, push.Cancelled: 1, push.Accepted: 5})
	noError(t, s.DeleteEndpoint(t.Context(), key(to[4])))
	noError(t, s.DeleteEndpoint(t.Context(), key(to[3])))
	check("the end of two endpoints", 5, push.Counts{push.Handled: 1, push.Delivered: 1, push.Accepted: 4})
	ended, err := s.ExpirePushes(t.Context(), out.Created.Add(time.Minute), 10)
	noError(t, err)
	if len(ended) != 5 || ended[0].Fanout != out.Fanout.ID {
		t.Errorf("%d pushes expired, want 5 that name their fan-out", len(ended))
	}
	check("the end of the TTL", 0, push.Counts{push.Handled: 1, push.Failed: 1, push.Expired: 4})
	if f, err := s.FanoutProgress(t.Context(), domain, out.Fanout.ID); err != nil || !f.Done() || f.Counts != nil {
		t.Errorf("FanoutProgress = %+v, %v, want it done, without counts", f, err)
	}
}

// testFanoutCancelled: what was on its way when the fan-out was cancelled is not sent again, whatever brings it back.
func testFanoutCancelled(t *testing.T, s Subject) {
	to := []string{"pc-1", "pc-2", "pc-3", "pc-4"}
	for _, id := range to {
		addEndpoint(t, s, id)
	}
	out := spread(t, s, push.Push{TTL: time.Minute, Payload: []byte("{}")}, to...)
	other := spread(t, s, push.Push{TTL: time.Minute}, "pc-1")
	step := func(i int, state push.State) push.Transition {
		return push.Transition{ID: out.Targets[i].ID, Key: key(to[i]), To: state}
	}
	advance(t, s, step(0, push.Sent), step(1, push.Sent))
	noError(t, s.CloseFanout(t.Context(), domain, out.Fanout.ID))
	diff(t, "counts of what is not back", mustFanout(t, s, out.Fanout.ID).Counts, push.Counts{push.Sent: 2, push.Accepted: 2})
	ended := push.Outcome{Found: true, Applied: true, State: push.Cancelled, Ack: push.AckDelivered, Fanout: out.Fanout.ID}
	diff(t, "back from a session, and given back", advance(t, s, step(0, push.Accepted), step(2, push.Accepted)), []push.Outcome{ended, ended})
	wantHistory(t, s, "back from a session", out.Targets[0].ID, "accepted sent accepted cancelled(cancelled)")
	noError(t, s.RecoverPushes(t.Context(), "server_restarted", day, nil))
	f := mustFanout(t, s, out.Fanout.ID)
	diff(t, "counts after a restart", f.Counts, push.Counts{push.Cancelled: 4})
	if !f.Done() {
		t.Errorf("fan-out = %+v, want it done", f)
	}
	advance(t, s, push.Transition{ID: other.Targets[0].ID, Key: key("pc-1"), To: push.Sent}, push.Transition{ID: other.Targets[0].ID, Key: key("pc-1"), To: push.Accepted})
	diff(t, "counts of another", mustFanout(t, s, other.Fanout.ID).Counts, push.Counts{push.Accepted: 1})
}

// testFanoutCancelledMidway: a fan-out that is cancelled while its request runs gets no further targets, neither from that request nor from a repeated one.
func testFanoutCancelledMidway(t *testing.T, s Subject) {
	addEndpoint(t, s, "pc-1")
	addEndpoint(t, s, "pc-2")
	key := push.NewIdempotency("tok", "k", nil)
	c := push.FanoutChunk{Push: push.Push{Type: "demo.ping", TTL: time.Minute, Payload: []byte("{}")}, Targets: 2, To: []string{"pc-1"}, Idempotency: &key}
	c.Push.To.Domain = domain
	first, err := s.AcceptTargets(t.Context(), c)
	noError(t, err)
	noError(t, s.CloseFanout(t.Context(), domain, first.Fanout.ID))
	c.Push.ID, c.Stored, c.To = first.Fanout.ID, 1, []string{"pc-2"}
	for range 2 {
		out, err := s.AcceptTargets(t.Context(), c)
		noError(t, err)
		if len(out.Targets) != 0 || out.Fanout.Targets != 1 || out.Fanout.Stored != 1 {
			t.Errorf("a chunk behind the cancel = %+v, want none", out)
		}
	}
	c.Push.ID, c.Stored, c.To = 0, 0, []string{"pc-1"}
	again, err := s.AcceptTargets(t.Context(), c)
	noError(t, err)
	if f := again.Fanout; !f.Replayed || f.Targets != 1 || f.Stored != 1 || f.Reached != math.MaxInt64 {
		t.Errorf("the request repeated = %+v, want one target and no more", f)
	}
	diff(t, "counts", mustFanout(t, s, first.Fanout.ID).Counts, push.Counts{push.Accepted: 1})
}

func testDeliveries(t *testing.T, s Subject) {
	for _, id := range []string{"a", "b", "c"} {
		addEndpoint(t, s, id)
	}
	out := spread(t, s, push.Push{TTL: time.Hour}, "c", "nobody", "a", "none", "b")
	spread(t, s, push.Push{TTL: time.Hour}, "a")
	advance(t, s, push.Transition{ID: out.Targets[2].ID, Key: key("a"), To: push.Delivered})
	for _, test := range []struct {
		state push.State
		want  string
	}{
		{"", "c nobody a none b"}, {push.Accepted, "c b"}, {push.Delivered, "a"}, {push.Rejected, "nobody none"}, {push.Failed, ""}, {"strange", ""},
	} {
		for limit := 1; limit < 7; limit++ {
			var all []push.Status
			for after := push.ID(0); ; {
				page, err := s.Deliveries(t.Context(), domain, out.Fanout.ID, test.state, after, limit)
				noError(t, err)
				all = append(all, page...)
				if len(page) < limit {
					break
				}
				after = page[len(page)-1].ID
			}
			if got := ids(all, func(st push.Status) string { return st.To.ID }); got != test.want {
				t.Errorf("Deliveries in state %q in pages of %d = %q, want %q", test.state, limit, got, test.want)
			}
		}
	}
	if all, err := s.Deliveries(t.Context(), "other.example", out.Fanout.ID, "", 0, 10); len(all) != 0 || err != nil {
		t.Errorf("Deliveries in another domain = %v, %v, want none", all, err)
	}
}
