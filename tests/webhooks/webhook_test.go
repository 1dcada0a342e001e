package webhooks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/internal/client"
	"signalbox/tests/harness"
)

// TestEventsArrive: a snapshot goes first, then what happens, signed so that the published library takes it.
func TestEventsArrive(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	c, r := api(t, s), listen(t, a, "")
	h := register(t, c, r)
	if !strings.HasPrefix(h.Secret, "whsec_") || !strings.HasPrefix(h.ID, "whk_") {
		t.Errorf("webhook = %+v, want a secret and an id", h)
	}
	endpoints(t, c, "pc-1")
	created := r.await(t, 1, "endpoint.created")[0] // the start of the server may be told before it
	if first := r.await(t, 1)[0]; first.Type != "presence.snapshot" || first.Data.Path != "/v1/presence/snapshot" {
		t.Errorf("first came %+v, want a snapshot", first)
	}
	if e := created; e.Data.Endpoint != "pc-1" || e.Data.Seq == 0 || !strings.HasPrefix(e.ID, "evt_") {
		t.Errorf("then came %+v, want that pc-1 was made", e)
	}
	push := s.Submit(t, `{"to":"pc-1","type":"demo","ttl":0}`)
	if e := r.await(t, 1, "push.expired")[0]; e.Data.ID != push || e.Data.Reason != "offline" {
		t.Errorf("event = %+v, want that %s expired", e, push)
	}
	if len(r.events("push.accepted", "push.sent")) > 0 {
		t.Error("states came that nobody asked for")
	}
	r.check(t)
	shown := awaitState(t, c, h.ID, "ok")
	if shown.Secret != "" || len(shown.Keys) != 1 {
		t.Errorf("webhook shows %+v, want no secret", shown)
	}
}

// TestTypes: a receiver gets what it asks for.
func TestTypes(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	c, r := api(t, s), listen(t, a, "")
	register(t, c, r, "push.*")
	endpoints(t, c, "pc-1")
	s.Submit(t, `{"to":"pc-1","type":"demo"}`)
	if all := r.await(t, 1); all[0].Type != "push.accepted" {
		t.Errorf("came %+v, want push.accepted alone", all)
	}
}

// TestReceiverAway: what happens while a receiver fails arrives when it is back, all of it and in order.
func TestReceiverAway(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	addr := harness.HoldPort(t)
	c, r := api(t, s), listen(t, a, addr)
	h := register(t, c, r, "endpoint.*")
	endpoints(t, c, "pc-0")
	r.await(t, 1)
	r.srv.Close()
	for i := 1; i <= 20; i++ {
		endpoints(t, c, fmt.Sprintf("pc-%d", i))
	}
	failing := awaitState(t, c, h.ID, "failing")
	if failing.Status.Code != "not_reachable" || !strings.Contains(failing.Status.Error, "connection refused") || failing.Status.Action == "" {
		t.Errorf("status = %+v, want that nothing listens", failing.Status)
	}
	back := listen(t, a, addr)
	back.expect(h.Secret)
	all := back.await(t, 20)
	for i := 1; i < len(all); i++ {
		if all[i].Data.Endpoint == all[i-1].Data.Endpoint {
			t.Errorf("twice: %+v", all[i])
		}
	}
	back.check(t)
	awaitState(t, c, h.ID, "ok")
	log, err := c.WebhookDeliveries(t.Context(), h.ID, true, 10, "")
	must(t, err)
	if len(log.Items) == 0 || log.Items[len(log.Items)-1].OK || log.Items[0].NextAttempt.IsZero() {
		t.Errorf("log of failures = %+v", log.Items)
	}
}

// TestOrderPerEndpoint: with a slow receiver events of one endpoint follow each other, those of others pass them.
func TestOrderPerEndpoint(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	c, r := api(t, s), listen(t, a, "")
	endpoints(t, c, "slow", "fast")
	release := make(chan struct{})
	r.answers(func(_ http.ResponseWriter, req *http.Request, e event) int {
		if e.Data.Endpoint == "slow" {
			select {
			case <-release:
			case <-req.Context().Done():
			}
		}
		return http.StatusOK
	})
	register(t, c, r, "endpoint.*")
	label := func(id, value string) {
		t.Helper()
		_, err := c.ChangeEndpoint(t.Context(), id, client.EndpointChange{Labels: &map[string]string{"n": value}})
		must(t, err)
	}
	for i := range 5 {
		label("slow", fmt.Sprint(i))
		label("fast", fmt.Sprint(i))
	}
	r.await(t, 5) // all of fast, none of slow
	close(release)
	all := r.await(t, 10)
	last := map[string]int64{}
	for i, e := range all {
		if i < 5 && e.Data.Endpoint != "fast" {
			t.Errorf("event %d is of %s, want those of fast first", i, e.Data.Endpoint)
		}
		if e.Data.Seq <= last[e.Data.Endpoint] {
			t.Errorf("%s: event %d came after %d", e.Data.Endpoint, e.Data.Seq, last[e.Data.Endpoint])
		}
		last[e.Data.Endpoint] = e.Data.Seq
	}
}

// TestRefusedEvent: an event that is refused while others are taken does not hold them up, and comes when the receiver takes it, in its endpoint's order.
func TestRefusedEvent(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	c, r := api(t, s), listen(t, a, "")
	r.answers(func(_ http.ResponseWriter, _ *http.Request, e event) int {
		if e.Data.Endpoint == "bad" {
			return http.StatusUnprocessableEntity
		}
		return http.StatusOK
	})
	h := register(t, c, r, "endpoint.*")
	endpoints(t, c, "bad", "good-1", "good-2", "good-3")
	must(t, c.DeleteEndpoint(t.Context(), "good-1"))
	r.await(t, 4)
	r.always(http.StatusOK)
	all := r.await(t, 5)
	if e := all[len(all)-1]; e.Data.Endpoint != "bad" {
		t.Errorf("last came %+v, want that of bad", e)
	}
	h = awaitState(t, c, h.ID, "ok")
	harness.Await(t, func() bool {
		h, _ = c.Webhook(t.Context(), h.ID)
		return h.Status.SetAside == 0 && h.Status.Pending == 0
	}, func() string { return fmt.Sprintf("status %+v, want nothing left", h.Status) })
}

// TestGivenUp: what is refused for longer than the schedule is given up, and a replay of what failed sends it.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a), func(c *configType) { c.Events.Retries = []string{"300ms", "300ms", "300ms"} })
	c, r := api(t, s), listen(t, a, "")
	r.answers(func(_ http.ResponseWriter, _ *http.Request, e event) int {
		if e.Data.Endpoint == "bad" {
			return http.StatusBadRequest
		}
		return http.StatusOK
	})
	h := register(t, c, r, "endpoint.*")
	endpoints(t, c, "bad", "good")
	r.await(t, 1)
	harness.Await(t, func() bool {
		log, err := c.WebhookDeliveries(t.Context(), h.ID, true, 50, "")
		must(t, err)
		return len(log.Items) > 0 && log.Items[0].NextAttempt.IsZero()
	}, func() string { return "the event is not given up" })
	r.always(http.StatusOK)
	done, err := c.ReplayWebhook(t.Context(), h.ID, client.Replay{Failed: true})
	must(t, err)
	if done.Revived != 1 {
		t.Errorf("revived %d, want 1", done.Revived)
	}
	if all := r.await(t, 2); all[1].Data.Endpoint != "bad" {
		t.Errorf("came %+v, want that of bad", all)
	}
}

// TestGone: 410 disables the webhook at once; enabled again it gets what happened meanwhile.
func TestGone(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	c, r, other := api(t, s), listen(t, a, ""), listen(t, a, "")
	r.always(http.StatusGone)
	register(t, c, other, "webhook.disabled")
	h := register(t, c, r, "endpoint.*")
	endpoints(t, c, "pc-1")
	h = awaitState(t, c, h.ID, "disabled")
	if h.Enabled || h.Status.Code != "gone" {
		t.Errorf("webhook = %+v, want it disabled for 410", h)
	}
	if n := len(r.attempts()); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
	other.await(t, 1, "webhook.disabled")
	_, err := c.ReplayWebhook(t.Context(), h.ID, client.Replay{Failed: true})
	wantCode(t, err, "webhook_disabled")
	endpoints(t, c, "pc-2")
	r.always(http.StatusOK)
	yes := true
	_, err = c.ChangeWebhook(t.Context(), h.ID, client.WebhookChange{Enabled: &yes})
	must(t, err)
	r.await(t, 2, "endpoint.created")
}

// TestDisabledAtTheEnd: when the schedule has ended the webhook is disabled with its reason.
func TestDisabledAtTheEnd(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a), func(c *configType) { c.Events.Retries = []string{"10ms", "20ms"} })
	c, r := api(t, s), listen(t, a, "")
	r.always(http.StatusInternalServerError)
	h := register(t, c, r, "endpoint.*")
	endpoints(t, c, "pc-1")
	h = awaitState(t, c, h.ID, "disabled")
	if !strings.Contains(h.Status.Error, "Nothing was taken since") || h.Status.Code != "server_failed" {
		t.Errorf("status = %+v", h.Status)
	}
	if n := len(r.attempts()); n != 3 {
		t.Errorf("%d attempts, want 3", n)
	}
}

// TestRetryAfter: a receiver that says when to come again is left in peace until then.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	c, r := api(t, s), listen(t, a, "")
	first := true
	r.answers(func(w http.ResponseWriter, _ *http.Request, _ event) int {
		if first {
			first = false
			w.Header().Set("Retry-After", "1")
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	register(t, c, r, "endpoint.*")
	endpoints(t, c, "pc-1")
	r.await(t, 1)
	all := r.attempts()
	if wait := all[1].at.Sub(all[0].at); wait < 900*time.Millisecond {
		t.Errorf("tried again after %v, want 1s as the receiver asked", wait)
	}
}

// TestRotation: after a change both secrets sign, and the old one ends.
func TestRotation(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	c, r := api(t, s), listen(t, a, "")
	h := register(t, c, r, "endpoint.*")
	made, err := c.ChangeWebhook(t.Context(), h.ID, client.WebhookChange{NewSecret: "hmac"})
	must(t, err)
	if made.Secret == "" || made.Secret == h.Secret || len(made.Keys) != 2 || made.Keys[1].ExpiresAt.IsZero() {
		t.Errorf("after a change %+v, want a new secret beside the old one, which ends", made)
	}
	endpoints(t, c, "pc-1")
	r.await(t, 1) // verified with the old secret
	r.expect(made.Secret)
	endpoints(t, c, "pc-2")
	r.await(t, 2)
	now := int64(0)
	public, err := c.ChangeWebhook(t.Context(), h.ID, client.WebhookChange{NewSecret: "ed25519", OldSecretsFor: &now})
	must(t, err)
	if public.Secret != "" || len(public.Keys) != 1 || !strings.HasPrefix(public.Keys[0].PublicKey, "whpk_") {
		t.Errorf("after a change %+v, want a public key alone", public)
	}
	r.expect(public.Keys[0].PublicKey)
	endpoints(t, c, "pc-3")
	r.await(t, 3)
	r.check(t)
}

// TestReplay: what was sent is sent again from a number or a time, with the same ids.
func TestReplay(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	c, r := api(t, s), listen(t, a, "")
	h := register(t, c, r, "endpoint.*")
	endpoints(t, c, "pc-1", "pc-2", "pc-3")
	first := r.await(t, 3)
	slices.SortFunc(first, func(a, b event) int { return int(a.Data.Seq - b.Data.Seq) })
	_, err := c.ReplayWebhook(t.Context(), h.ID, client.Replay{Seq: &first[0].Data.Seq})
	must(t, err)
	all := r.await(t, 5)
	want := map[string]bool{first[1].ID: true, first[2].ID: true} // of different endpoints, in any order
	if !want[all[3].ID] || !want[all[4].ID] || all[3].ID == all[4].ID {
		t.Errorf("again came %s, %s, want %v", all[3].ID, all[4].ID, want)
	}
	from := first[2].Timestamp
	_, err = c.ReplayWebhook(t.Context(), h.ID, client.Replay{From: &from})
	must(t, err)
	if all := r.await(t, 6); all[5].ID != first[2].ID {
		t.Errorf("since %v came %s, want %s", from, all[5].ID, first[2].ID)
	}
	seq := int64(1 << 40)
	_, err = c.ReplayWebhook(t.Context(), h.ID, client.Replay{Seq: &seq})
	wantCode(t, err, "validation_failed")
}
