package webhook

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/events"
)

// TestMissedEvents: a receiver that was away for longer than events are kept is told to read anew, and gets the rest.
func TestMissedEvents(t *testing.T) {
	r := newRig(t)
	w := r.hook(t)
	for i := range 5 {
		r.add(0, event(events.EndpointCreated, fmt.Sprint("pc-", i)))
	}
	r.forget(3)
	r.run()
	got := r.awaitTaken(t, 3)
	want := []string{"presence.snapshot 5 gap", "endpoint.created pc-3 4", "endpoint.created pc-4 5"}
	if got[1] > got[2] { // of different endpoints, in any order
		got[1], got[2] = got[2], got[1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	await(t, func() bool { stored, _ := r.memory.Webhook(t.Context(), w.ID); return stored.Cursor == 5 }, func() string { return "the cursor is not stored" })
}

// TestAnotherDatabase: numbers that were never given out here mean that the database is another one.
func TestAnotherDatabase(t *testing.T) {
	r := newRig(t)
	w := r.hook(t)
	_, err := r.ChangeWebhook(t.Context(), w.ID, func(w *Webhook) error { w.Cursor = 1000; return nil })
	if err != nil {
		t.Fatal(err)
	}
	r.add(0, event(events.EndpointCreated, "pc-1"))
	r.run()
	if got := r.awaitTaken(t, 1); got[0] != "presence.snapshot 1 gap" {
		t.Errorf("taken %q, want a snapshot", got)
	}
	r.add(0, event(events.EndpointCreated, "pc-2"))
	if got := r.awaitTaken(t, 2); got[1] != "endpoint.created pc-2 2" {
		t.Errorf("taken %q, want pc-2", got)
	}
}

// TestLongAway: of what is old the newest goes.
func TestLongAway(t *testing.T) {
	r := newRig(t)
	r.hook(t, "endpoint.*")
	for i := range 3000 {
		typ := events.EndpointOnline
		if i%2 == 1 {
			typ = events.EndpointOffline
		}
		r.add(time.Hour, event(typ, fmt.Sprint("pc-", i%2/1)))
	}
	r.add(0, event(events.EndpointOnline, "pc-9"))
	r.run()
	got := r.awaitTaken(t, 3)
	seen := map[string]bool{}
	for _, g := range got {
		seen[g] = true
	}
	for _, want := range []string{"endpoint.online pc-0 2999", "endpoint.offline pc-1 3000", "endpoint.online pc-9 3001"} {
		if !seen[want] {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d events came, want 3", len(got))
	}
}

// TestProgressThatIsNotStored: while the store takes nothing little is sent, and nothing is lost.
func TestProgressThatIsNotStored(t *testing.T) {
	r := newRig(t)
	w := r.hook(t, "endpoint.*")
	r.run()
	r.add(0, event(events.EndpointCreated, "pc-1"))
	r.awaitTaken(t, 1)
	await(t, func() bool { stored, _ := r.memory.Webhook(t.Context(), w.ID); return stored.Cursor == 1 }, func() string { return "the cursor is not stored" })
	r.breaks(true)
	r.add(0, event(events.EndpointCreated, "pc-2"))
	r.awaitTaken(t, 2)
	r.halted() // as a crash: what was taken is not known
	r.breaks(false)
	r.run()
	if got := r.awaitTaken(t, 3); got[1] != got[2] {
		t.Errorf("taken %q, want the second again", got)
	}
}

// TestOrderBehindARefusedEvent: what follows a refused event of the same endpoint waits behind it, through a restart as well, and comes in its order.
func TestOrderBehindARefusedEvent(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Retries = append([]string{"5ms", "5ms"}, slices.Repeat([]string{"500ms"}, 30)...)
	})
	r.answers(func(p payload) int {
		if string(p.Data["endpoint"]) == `"bad"` {
			return http.StatusUnprocessableEntity
		}
		return http.StatusOK
	})
	w := r.hook(t, "endpoint.*")
	r.run()
	r.add(0, event(events.EndpointCreated, "bad"), event(events.EndpointCreated, "good"))
	r.awaitTaken(t, 1)
	r.add(0, event(events.EndpointUpdated, "bad"), event(events.EndpointUpdated, "good"), event(events.EndpointDeleted, "bad"))
	r.awaitTaken(t, 2)
	await(t, func() bool { all, _ := r.WebhookAside(t.Context(), w.ID); return len(all) == 3 }, func() string { return "3 events of bad are not set aside" })
	r.halted()
	r.answers(func(payload) int { return http.StatusOK })
	r.run()
	got := r.awaitTaken(t, 5)
	if diff := cmp.Diff([]string{"endpoint.created bad 1", "endpoint.updated bad 3", "endpoint.deleted bad 5"}, got[2:]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	await(t, func() bool { all, _ := r.WebhookAside(t.Context(), w.ID); return len(all) == 0 }, func() string { return "something is still set aside" })
}

// TestReplayBesideARefusedEvent: what is replayed of an endpoint that has something set aside goes before it.
func TestReplayBesideARefusedEvent(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Retries = append(slices.Repeat([]string{"50ms"}, 31), "1h") })
	r.answers(func(p payload) int {
		if p.Type == "endpoint.updated" {
			return http.StatusUnprocessableEntity
		}
		return http.StatusOK
	})
	w := r.hook(t, "endpoint.*")
	r.run()
	r.add(0, event(events.EndpointCreated, "bad"), event(events.EndpointUpdated, "bad"), event(events.EndpointCreated, "good"))
	r.awaitTaken(t, 2)
	r.add(0, event(events.EndpointDeleted, "good")) // taken behind the refusal, if the one before was not
	r.awaitTaken(t, 3)
	await(t, func() bool {
		all, _ := r.WebhookAside(t.Context(), w.ID)
		return len(all) == 1 && time.Until(all[0].Next) > time.Minute
	}, func() string { return "the event of bad is not set aside for long" })
	r.answers(func(payload) int { return http.StatusOK })
	if _, _, err := r.Replay(t.Context(), w.ID, Replay{Seq: 0}); err != nil {
		t.Fatal(err)
	}
	if got := r.awaitTaken(t, 6)[3:]; !slices.Contains(got, "endpoint.created bad 1") {
		t.Errorf("taken %q, want the replayed event of bad, not the one that was set aside", got)
	}
}

// TestRefusedSnapshot: a receiver that knows no snapshots gets its events all the same.
func TestRefusedSnapshot(t *testing.T) {
	r := newRig(t)
	r.answers(func(p payload) int {
		if p.Type == Snapshot {
			return http.StatusBadRequest
		}
		return http.StatusOK
	})
	r.hook(t)
	r.run()
	r.add(0, event(events.EndpointCreated, "pc-1"))
	if got := r.awaitTaken(t, 1); got[0] != "endpoint.created pc-1 1" {
		t.Errorf("taken %q", got)
	}
}

// TestManagementServerIsNeverGivenUp: neither 410 nor the end of a schedule disables it.
func TestManagementServerIsNeverGivenUp(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Host, c.ManagementRetry = "itsm.example", time.Second })
	r.answers(func(payload) int { return http.StatusGone })
	w := r.hook(t, "endpoint.*")
	r.run()
	r.add(0, event(events.EndpointCreated, "pc-1"))
	await(t, func() bool { in, _ := r.Service.Webhook(t.Context(), w.ID); return !in.Enabled }, func() string { return "410 does not disable a webhook" })
	stored, err := r.memory.Webhook(t.Context(), Management)
	if err != nil {
		t.Fatal(err)
	}
	s := r.newSender(r.configured(stored), target{}, "")
	for range 100 {
		s.failed(result{answer: answer{status: http.StatusGone, fault: faultOfStatus(http.StatusGone)}, at: time.Now()})
	}
	if s.ended || s.pending.Disable || time.Until(s.state.Next) > 2*time.Second {
		t.Errorf("after 100 answers 410 ended = %v, next attempt in %v", s.ended, time.Until(s.state.Next))
	}
}

// TestTroubles tells what is wrong with each receiver.
func TestTroubles(t *testing.T) {
	r := newRig(t)
	r.answers(func(payload) int { return http.StatusInternalServerError })
	w := r.hook(t, "endpoint.*")
	r.run()
	if all, err := r.Troubles(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("Troubles() = %v, %v, want none", all, err)
	}
	r.add(0, event(events.EndpointCreated, "pc-1"))
	await(t, func() bool {
		all, _ := r.Troubles(t.Context())
		return len(all) == 1 && all[0].Webhook == w.ID && all[0].Code == ServerFailed
	}, func() string { return "no trouble is told" })
}

// TestGivenUpAtOnce: an event that was tried to the end of the schedule before another shows that the receiver is well is given up then.
func TestGivenUpAtOnce(t *testing.T) {
	r := newRig(t)
	w := r.hook(t, "endpoint.*")
	s := r.newSender(w, target{}, "")
	e := events.Event{Seq: 1, Type: events.EndpointCreated, Endpoint: "bad"}
	s.queue, s.read, s.tries[1] = []events.Event{e}, 1, len(r.retries)
	s.setAside(result{item: item{event: e}, answer: answer{fault: faultOfStatus(http.StatusBadRequest)}, at: time.Now()})
	if a := s.pending.Aside[0]; !a.GivenUp || !a.Next.IsZero() || len(s.queue) > 0 || s.asides > 0 {
		t.Errorf("set aside %+v with %d in the queue, want it given up", a, len(s.queue))
	}
	if d := s.pending.Deliveries[0]; !d.Next.IsZero() {
		t.Errorf("delivery %+v, want no further attempt", d)
	}
}
