package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"signalbox/internal/events"
	"signalbox/internal/events/webhook"
)

var webhookTests = map[string]func(*testing.T, Subject){
	"webhooks":             testWebhooks,
	"webhooks/are bounded": testWebhooksAreBounded,
	"webhooks/progress":    testWebhookProgress,
	"webhooks/log":         testWebhookLog,
	"webhooks/aside":       testWebhookAside,
}

func hook(id string) webhook.Webhook {
	return webhook.Webhook{
		ID: id, URL: "https://a.example/" + id, Description: "d", Types: []string{"push.*"}, Enabled: true, Insecure: true,
		Keys: []webhook.Key{{Text: "whsec_x", Created: day}, {Text: "whsk_y", Created: day, Expires: day.Add(time.Hour)}}, Created: day, Updated: day,
	}
}

func addWebhook(t *testing.T, s Subject, id string) webhook.Webhook {
	t.Helper()
	w := hook(id)
	var err error
	w.Cursor, err = s.CreateWebhook(t.Context(), w)
	noError(t, err)
	return w
}

func testWebhooks(t *testing.T, s Subject) {
	addEndpoint(t, s, "pc-1")
	b, err := s.EventBounds(t.Context())
	noError(t, err)
	w := addWebhook(t, s, "whk_2")
	if w.Cursor != b.Newest {
		t.Errorf("a new webhook begins behind %d, want %d", w.Cursor, b.Newest)
	}
	first := addWebhook(t, s, "whk_1")
	got, err := s.Webhook(t.Context(), "whk_2")
	noError(t, err)
	diff(t, "webhook", got, w)
	all, err := s.Webhooks(t.Context())
	noError(t, err)
	diff(t, "list", all, []webhook.Webhook{first, w})

	w.URL, w.Enabled, w.Cursor, w.Failures, w.Since, w.Fault = "https://b.example/", false, 0, 3, day, webhook.Fault{Code: "c", Detail: "d", Action: "a"}
	got, err = s.ChangeWebhook(t.Context(), "whk_2", func(stored *webhook.Webhook) error {
		*stored = w
		return nil
	})
	noError(t, err)
	diff(t, "changed", got, w)
	refused := errors.New("refused")
	if _, err := s.ChangeWebhook(t.Context(), "whk_2", func(stored *webhook.Webhook) error {
		stored.URL = "x"
		return refused
	}); !errors.Is(err, refused) {
		t.Errorf("a change that is refused = %v", err)
	}
	got, err = s.Webhook(t.Context(), "whk_2")
	noError(t, err)
	diff(t, "after a refused change", got, w)

	noError(t, s.DeleteWebhook(t.Context(), "whk_2"))
	for name, err := range map[string]error{
		"delete": s.DeleteWebhook(t.Context(), "whk_2"),
		"find":   second(s.Webhook(t.Context(), "whk_2")),
		"change": second(s.ChangeWebhook(t.Context(), "whk_2", func(*webhook.Webhook) error { return nil })),
	} {
		if !errors.Is(err, webhook.ErrUnknown) {
			t.Errorf("%s of one that is gone = %v, want ErrUnknown", name, err)
		}
	}
	noError(t, s.SaveWebhookProgress(t.Context(), "whk_2", webhook.Progress{State: &webhook.State{}, Deliveries: []webhook.Delivery{{Event: "e"}}}))
	log, err := s.WebhookDeliveries(t.Context(), "whk_2", webhook.DeliveryQuery{Limit: 10})
	noError(t, err)
	if len(log) > 0 {
		t.Errorf("a log of one that is gone: %v", log)
	}
}

func second[T any](_ T, err error) error { return err }

func testWebhooksAreBounded(t *testing.T, s Subject) {
	for i := range webhook.MaxWebhooks {
		addWebhook(t, s, fmt.Sprintf("whk_%d", i))
	}
	if _, err := s.CreateWebhook(t.Context(), hook("whk_more")); !errors.Is(err, webhook.ErrTooMany) {
		t.Errorf("one more = %v, want ErrTooMany", err)
	}
	addWebhook(t, s, webhook.Management) // which does not count
}

func testWebhookProgress(t *testing.T, s Subject) {
	w := addWebhook(t, s, "whk_1")
	addEndpoint(t, s, "pc-1")
	state := webhook.State{Cursor: w.Cursor + 1, Failures: 2, Since: day, Next: day.Add(time.Minute), Fault: webhook.Fault{Code: "gone", Detail: "d", Action: "a"}, LastSuccess: day}
	noError(t, s.SaveWebhookProgress(t.Context(), "whk_1", webhook.Progress{State: &state}))
	got, err := s.Webhook(t.Context(), "whk_1")
	noError(t, err)
	w.State = state
	diff(t, "after progress", got, w)

	state.Disabled = "It took nothing."
	noError(t, s.SaveWebhookProgress(t.Context(), "whk_1", webhook.Progress{State: &state, Disable: true}))
	got, err = s.Webhook(t.Context(), "whk_1")
	noError(t, err)
	w.State, w.Enabled = state, false
	diff(t, "after it was disabled", got, w)
	all, err := s.ReadEvents(t.Context(), state.Cursor, 10)
	noError(t, err)
	if len(all) != 1 || all[0].Type != events.WebhookDisabled {
		t.Errorf("events = %+v, want that the webhook was disabled", all)
	}
}

func testWebhookLog(t *testing.T, s Subject) {
	addWebhook(t, s, "whk_1")
	addWebhook(t, s, "whk_2")
	const kept = 1000
	var all []webhook.Delivery
	for i := range kept + 100 {
		all = append(all, webhook.Delivery{
			At: day, Seq: int64(i), Event: fmt.Sprint(i), Type: "t", Endpoint: "e", Attempt: 1, Status: 200, Took: 3 * time.Millisecond, Next: day.Add(time.Second),
		})
	}
	bad := webhook.Delivery{At: day, Event: "bad", Attempt: 2, Fault: webhook.Fault{Code: "c", Detail: "d", Action: "a"}}
	noError(t, s.SaveWebhookProgress(t.Context(), "whk_1", webhook.Progress{Deliveries: []webhook.Delivery{bad}}))
	noError(t, s.SaveWebhookProgress(t.Context(), "whk_1", webhook.Progress{Deliveries: all}))
	noError(t, s.SaveWebhookProgress(t.Context(), "whk_2", webhook.Progress{Deliveries: all[:1]}))
	got, err := s.WebhookDeliveries(t.Context(), "whk_1", webhook.DeliveryQuery{Limit: 2 * kept})
	noError(t, err)
	if len(got) != kept+1 || got[0].Event != fmt.Sprint(kept+99) || got[kept].Event != "bad" {
		t.Fatalf("the log has %d attempts, the newest %q, want the newest %d that were taken and the failed one", len(got), got[0].Event, kept)
	}
	want := all[kept+99]
	want.ID = got[0].ID
	diff(t, "the newest", got[0], want)
	before, err := s.WebhookDeliveries(t.Context(), "whk_1", webhook.DeliveryQuery{Limit: 1, Before: got[0].ID})
	noError(t, err)
	diff(t, "the one before", before, got[1:2])
	failed, err := s.WebhookDeliveries(t.Context(), "whk_1", webhook.DeliveryQuery{Limit: 10, Failed: true})
	noError(t, err)
	diff(t, "failures", failed, got[kept:])
}

func testWebhookAside(t *testing.T, s Subject) {
	w := addWebhook(t, s, "whk_1")
	a := webhook.Aside{Seq: w.Cursor + 5, Endpoint: "pc-1", Tries: 2, Since: day, Next: day.Add(time.Minute)}
	b := webhook.Aside{Seq: w.Cursor + 7, Endpoint: "pc-1"}
	over := webhook.Aside{Seq: w.Cursor + 6, Endpoint: "pc-2", Tries: 9, Since: day, GivenUp: true}
	noError(t, s.SaveWebhookProgress(t.Context(), "whk_1", webhook.Progress{State: &w.State, Aside: []webhook.Aside{b, a, over}}))
	got, err := s.WebhookAside(t.Context(), "whk_1")
	noError(t, err)
	diff(t, "set aside", got, []webhook.Aside{a, over, b})
	n, err := s.ReviveWebhookAside(t.Context(), "whk_1")
	noError(t, err)
	if n != 1 {
		t.Errorf("%d revived, want 1", n)
	}
	a.Tries = 3
	noError(t, s.SaveWebhookProgress(t.Context(), "whk_1", webhook.Progress{State: &w.State, Aside: []webhook.Aside{a}, Settled: []int64{b.Seq}}))
	got, err = s.WebhookAside(t.Context(), "whk_1")
	noError(t, err)
	diff(t, "afterwards", got, []webhook.Aside{a, {Seq: over.Seq, Endpoint: "pc-2"}})

	noError(t, s.SaveWebhookProgress(t.Context(), "whk_1", webhook.Progress{
		State: &w.State, Aside: []webhook.Aside{over}, Deliveries: []webhook.Delivery{{Seq: a.Seq, Fault: webhook.Fault{Code: "gone"}}},
	}))
	noError(t, s.SaveWebhookProgress(t.Context(), "whk_1", webhook.Progress{State: &w.State, Deliveries: []webhook.Delivery{{Seq: over.Seq}}}))
	got, err = s.WebhookAside(t.Context(), "whk_1")
	noError(t, err)
	diff(t, "after what was given up was taken", got, []webhook.Aside{a})
}
