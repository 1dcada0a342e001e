package webhook

import (
	"context"
	"net/http"
	"testing"
	"time"

	"signalbox/internal/events"
)

// TestCreatedWhileRunBegins: a webhook that is registered while the stored ones are read is not forgotten until the next start.
func TestCreatedWhileRunBegins(t *testing.T) {
	r := newRig(t)
	created := make(chan error, 1)
	r.listed = func() {
		r.listed = nil
		go func() {
			_, err := r.Create(context.Background(), Draft{URL: r.url, Insecure: true, Types: []string{"endpoint.created"}})
			created <- err
		}()
		select {
		case err := <-created: // it did not wait for us
			created <- err
		case <-time.After(50 * time.Millisecond):
		}
	}
	r.run()
	if err := <-created; err != nil {
		t.Fatal(err)
	}
	r.add(0, event(events.EndpointCreated, "pc-1"))
	r.awaitTaken(t, 1)
}

// TestDueSnapshotOutlivesAChange: a receiver that is down when it is changed still gets the snapshot of the start when it is back.
func TestDueSnapshotOutlivesAChange(t *testing.T) {
	r := newRig(t)
	w := r.hook(t)
	status, tried := http.StatusServiceUnavailable, make(chan struct{}, 100)
	r.answer = func(payload) int {
		poke(tried)
		return status
	}
	r.run()
	<-tried
	text := "ours"
	if _, _, err := r.Update(t.Context(), w.ID, Change{Description: &text}); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	status = http.StatusOK
	r.mu.Unlock()
	if got := r.awaitTaken(t, 1); got[0] != "presence.snapshot 0 start" {
		t.Errorf("taken %q, want the snapshot", got)
	}
}

// TestDisabledThoughTheDiskIsFull: a receiver that wants no more is disabled when the disk takes that, not left enabled with nobody who sends.
func TestDisabledThoughTheDiskIsFull(t *testing.T) {
	r := newRig(t)
	w := r.hook(t, "endpoint.created")
	r.answer = func(payload) int {
		r.breaks(true)
		return http.StatusGone
	}
	r.add(0, event(events.EndpointCreated, "pc-1"))
	r.run()
	refused := func() int {
		r.memory.mu.Lock()
		defer r.memory.mu.Unlock()
		return r.refused
	}
	await(t, func() bool { return refused() >= 3 }, func() string { return "nobody tries to store that it is disabled" })
	r.breaks(false)
	await(t, func() bool { stored, _ := r.memory.Webhook(t.Context(), w.ID); return !stored.Enabled }, func() string { return "it is not disabled" })
}

// TestClockStoodAhead: what was planned by a clock that stood far ahead does not hold up a receiver for as long.
func TestClockStoodAhead(t *testing.T) {
	far := time.Now().Add(10000 * time.Hour)
	for name, since := range map[string]time.Time{"at the first failure": far, "at the last one": time.Now().Add(-time.Hour)} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			w := r.hook(t, "endpoint.created")
			_, err := r.ChangeWebhook(t.Context(), w.ID, func(w *Webhook) error {
				w.Cursor, w.Failures, w.Since, w.Next = 1, 1, since, far
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			r.aside[w.ID] = map[int64]Aside{1: {Seq: 1, Endpoint: "pc-1", Tries: 1, Since: since, Next: far}}
			r.add(0, event(events.EndpointCreated, "pc-1"), event(events.EndpointCreated, "pc-2"))
			r.run()
			r.awaitTaken(t, 2)
		})
	}
}
