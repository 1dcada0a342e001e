package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/access"
	"signalbox/internal/api"
	"signalbox/internal/bus"
	"signalbox/internal/client"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/push"
	"signalbox/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type nobody struct{}

func (nobody) Send(endpoint.Key, uint64, push.Push, bool, func(time.Time)) error {
	return endpoint.ErrOffline
}

type checks []api.Check

func (c checks) Checks(context.Context) []api.Check { return c }

type bundles []api.Certificate

func (b bundles) Certificates() []api.Certificate { return b }

// realAPI is the real handler on a real store, and a token that may do everything.
func realAPI(t *testing.T) (http.Handler, string) {
	t.Helper()
	reg := prometheus.NewRegistry()
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "signalbox.db"), store.Default(), zap.NewNop(), reg)
	must(t, err)
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	run(t, st.Run)
	registry := endpoint.NewRegistry(bus.Local{}, st, 1, reg)
	pushes, err := push.New(push.Default(), st, nobody{}, zap.NewNop(), reg)
	must(t, err)
	run(t, pushes.Run)
	hub, err := events.NewHub(events.Default(), st, zap.NewNop(), reg)
	must(t, err)
	run(t, hub.Run)
	tokens := access.New(st, time.Now)
	secret, _, err := tokens.Create(t.Context(), "test", []access.Scope{access.ScopeAdmin})
	must(t, err)
	srv, err := api.New(api.Default(), api.Deps{
		Domain: "example.test", Endpoints: endpoint.NewDirectory(st, registry), Registry: registry, Pushes: pushes, Events: hub, Tokens: tokens,
		Health: checks{{Name: "store", OK: true}, {Name: "certs", Reason: "expired"}}, Certs: bundles{{File: "a.pem", Names: []string{"a.test"}, Serving: true}},
		Metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), Version: api.Version{Version: "1.2.3"},
	}, zap.NewNop(), reg)
	must(t, err)
	return srv.Handler(), secret
}

func run(t *testing.T, part func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := part(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dial serves h and returns a client of it.
func dial(t *testing.T, h http.Handler, token string, opts client.Options) *client.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL+"/", token, opts)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func dialReal(t *testing.T) *client.Client {
	t.Helper()
	h, token := realAPI(t)
	return dial(t, h, token, client.Options{})
}

func TestEndpoints(t *testing.T) {
	c, ctx := dialReal(t), t.Context()
	made, err := c.CreateEndpoint(ctx, client.NewEndpoint{ID: "pc-1", Labels: map[string]string{"site": "paris"}, Groups: []string{"lab"}})
	must(t, err)
	if made.Secret == "" || made.JID != "pc-1@example.test" || made.Presence.State != "never" || made.CreatedAt.IsZero() {
		t.Errorf("created %+v", made)
	}
	off := false
	changed, err := c.ChangeEndpoint(ctx, "pc-1", client.EndpointChange{Enabled: &off, Labels: &map[string]string{}, Groups: &[]string{"x"}})
	must(t, err)
	shown, err := c.Endpoint(ctx, "pc-1")
	must(t, err)
	if diff := cmp.Diff(changed, shown); diff != "" || shown.Enabled || len(shown.Labels) != 0 || shown.Groups[0] != "x" || shown.Secret != "" {
		t.Errorf("changed and shown differ, or the change is not there: %+v\n%s", shown, diff)
	}
	_, err = c.CreateEndpoint(ctx, client.NewEndpoint{ID: "pc-2", Secret: "chosen-1"})
	must(t, err)
	first, err := c.Endpoints(ctx, client.EndpointFilter{Limit: 1})
	must(t, err)
	second, err := c.Endpoints(ctx, client.EndpointFilter{Limit: 1, Cursor: first.Next, Search: "pc"})
	must(t, err)
	if first.Items[0].ID != "pc-1" || second.Items[0].ID != "pc-2" || second.Next != "" {
		t.Errorf("pages %+v, %+v", first, second)
	}
	generated, err := c.ChangeSecret(ctx, "pc-1", "")
	must(t, err)
	kept, err := c.ChangeSecret(ctx, "pc-1", "chosen-2")
	must(t, err)
	if generated == "" || kept != "" {
		t.Errorf("secrets %q, %q", generated, kept)
	}
	had, err := c.Disconnect(ctx, "pc-1")
	must(t, err)
	presence, err := c.Presence(ctx, "pc-1")
	must(t, err)
	if had || presence.State != "never" || presence.QueuedPushes != 0 {
		t.Errorf("had a session %v, presence %+v", had, presence)
	}
	must(t, c.DeleteEndpoint(ctx, "pc-1"))
	wantProblem(t, c.DeleteEndpoint(ctx, "pc-1"), 404, "unknown_endpoint", "")
}

func TestPushes(t *testing.T) {
	c, ctx := dialReal(t), t.Context()
	_, err := c.CreateEndpoint(ctx, client.NewEndpoint{ID: "pc-1"})
	must(t, err)
	ttl := int64(60)
	p := client.NewPush{
		To: "pc-1", Type: "demo.ping", Payload: json.RawMessage(`{"n":1}`), TTL: &ttl, Priority: "high", Ack: "handled", IdempotencyKey: client.NewIdempotencyKey(),
	}
	first, err := c.SendPush(ctx, p)
	must(t, err)
	again, err := c.SendPush(ctx, p)
	must(t, err)
	if first.ID != again.ID || first.Replayed || !again.Replayed || first.State != "accepted" || first.To != "pc-1" {
		t.Errorf("receipts %+v, %+v", first, again)
	}
	bytes, err := c.SendPush(ctx, client.NewPush{To: "pc-1", Type: "demo.bytes", PayloadBase64: []byte{0, 1, 2}})
	must(t, err)
	got, err := c.Push(ctx, first.ID)
	must(t, err)
	if got.TTL != 60 || got.Priority != "high" || got.Ack != "handled" || got.ExpiresAt.Sub(got.CreatedAt) != time.Minute || len(got.History) != 1 {
		t.Errorf("push %+v", got)
	}
	cancelled, err := c.CancelPush(ctx, first.ID)
	must(t, err)
	page, err := c.Pushes(ctx, client.PushFilter{Endpoint: "pc-1", State: "accepted", Limit: 10})
	must(t, err)
	if cancelled.State != "cancelled" || len(page.Items) != 1 || page.Items[0].ID != bytes.ID {
		t.Errorf("cancelled %+v, then %+v", cancelled, page)
	}
	_, err = c.SendPush(ctx, client.NewPush{To: "pc-9", Type: "a"})
	wantProblem(t, err, 404, "unknown_endpoint", "/to")
}

func TestPushToMany(t *testing.T) {
	c, ctx := dialReal(t), t.Context()
	_, err := c.CreateEndpoint(ctx, client.NewEndpoint{ID: "pc-1"})
	must(t, err)
	to, p := []string{"pc-1", "nobody"}, client.NewPush{Type: "demo.ping", Payload: json.RawMessage(`"<&>"`), IdempotencyKey: client.NewIdempotencyKey()}
	first, err := c.SendPushToMany(ctx, to, p)
	must(t, err)
	again, err := c.SendPushToMany(ctx, to, p)
	must(t, err)
	want := client.Receipt{ID: first.ID, Targets: 2, Counts: map[string]int{"accepted": 1, "rejected": 1}}
	if diff := cmp.Diff(want, first); diff != "" || again.ID != first.ID || !again.Replayed {
		t.Errorf("receipt (-want +got):\n%s repeated: %+v", diff, again)
	}
	page, err := c.Deliveries(ctx, first.ID, client.DeliveryFilter{Limit: 1})
	must(t, err)
	rest, err := c.Deliveries(ctx, first.ID, client.DeliveryFilter{Cursor: page.Next})
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].To != "pc-1" || len(rest.Items) != 1 || rest.Items[0].Reason != "unknown_endpoint" {
		t.Errorf("deliveries %+v, then %+v", page, rest)
	}
	one, err := c.Push(ctx, page.Items[0].ID)
	must(t, err)
	if one.Fanout != first.ID || one.State != "accepted" {
		t.Errorf("target %+v", one)
	}
	cancelled, err := c.CancelPush(ctx, first.ID)
	must(t, err)
	if cancelled.Counts["cancelled"] != 1 || cancelled.Targets != 2 {
		t.Errorf("cancelled %+v", cancelled)
	}
}

func TestPushToSelected(t *testing.T) {
	c, ctx := dialReal(t), t.Context()
	_, err := c.CreateEndpoint(ctx, client.NewEndpoint{ID: "pc-1", Groups: []string{"lab"}, Labels: map[string]string{"site": "paris"}})
	must(t, err)
	at := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	to := client.Selector{Group: "lab", Labels: map[string]string{"site": "paris"}}
	made, err := c.SendPushToSelected(ctx, to, true, client.NewPush{Type: "demo.ping", CollapseKey: "k", NotBefore: &at})
	must(t, err)
	got, err := c.Push(ctx, made.ID)
	must(t, err)
	if diff := cmp.Diff(&to, got.Selector); diff != "" || made.Targets != 1 || !got.LateJoiners || got.CollapseKey != "k" || !got.NotBefore.Equal(at) {
		t.Errorf("selector (-want +got):\n%s push %+v", diff, got)
	}
	text, err := json.Marshal(got)
	must(t, err)
	var again client.Push
	must(t, json.Unmarshal(text, &again))
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("written and read again (-want +got):\n%s", diff)
	}
	_, err = c.SendPushToSelected(ctx, client.Selector{Group: "nobody"}, false, client.NewPush{Type: "demo.ping"})
	wantProblem(t, err, 404, "no_targets", "/to")
}

func TestBatch(t *testing.T) {
	c, ctx := dialReal(t), t.Context()
	_, err := c.CreateEndpoint(ctx, client.NewEndpoint{ID: "pc-1"})
	must(t, err)
	items := []client.NewPush{{To: "pc-1", Type: "a", CollapseKey: "k"}, {To: "nobody", Type: "a"}, {To: "pc-1", Type: "b", CollapseKey: "k"}}
	first, err := c.SendBatch(ctx, items, "key")
	must(t, err)
	again, err := c.SendBatch(ctx, items, "key")
	must(t, err)
	if first.Accepted != 2 || first.Refused != 1 || first.Items[1].Problem.Code != "unknown_endpoint" || first.Items[0].ID == "" || !again.Replayed {
		t.Errorf("batch %+v, again %+v", first, again)
	}
	older, err := c.Push(ctx, first.Items[0].ID)
	must(t, err)
	if older.State != "replaced" || older.History[1].By != first.Items[2].ID {
		t.Errorf("older push %+v", older)
	}
}

func TestOperation(t *testing.T) {
	c, ctx := dialReal(t), t.Context()
	made, err := c.CreateToken(ctx, "reader", "read")
	must(t, err)
	tokens, err := c.Tokens(ctx)
	must(t, err)
	if made.Token == "" || len(tokens) != 2 || tokens[0].Name != "reader" || tokens[0].Token != "" {
		t.Errorf("made %+v, listed %+v", made, tokens)
	}
	must(t, c.RevokeToken(ctx, made.ID))
	wantProblem(t, c.RevokeToken(ctx, "reader"), 404, "unknown_token", "")
	_, err = c.CreateToken(ctx, "nothing")
	wantProblem(t, err, 422, "validation_failed", "/scopes")

	must(t, c.Live(ctx))
	ready, err := c.Ready(ctx)
	must(t, err)
	want := client.Readiness{Checks: []client.Check{{Name: "store", OK: true}, {Name: "certs", Reason: "expired"}}}
	if diff := cmp.Diff(want, ready); diff != "" {
		t.Errorf("readiness (-want +got):\n%s", diff)
	}
	version, err := c.Version(ctx)
	must(t, err)
	certs, err := c.Certificates(ctx)
	must(t, err)
	metrics, err := c.Metrics(ctx)
	must(t, err)
	doc, err := c.OpenAPI(ctx)
	must(t, err)
	if version.Version != "1.2.3" || len(certs) != 1 || certs[0].File != "a.pem" || len(metrics) == 0 || !json.Valid(doc) {
		t.Errorf("version %+v, certificates %+v, %d bytes of metrics, OpenAPI %.40s", version, certs, len(metrics), doc)
	}
}

// TestStrangeIDsStayInTheirPath sends ids that would be other paths if they were not escaped.
func TestStrangeIDsStayInTheirPath(t *testing.T) {
	c, ctx := dialReal(t), t.Context()
	for _, id := range []string{"a/presence", "a?x=1", "a#b", "a b", "%2e", "\u00e9"} {
		_, err := c.Endpoint(ctx, id)
		wantProblem(t, err, 404, "unknown_endpoint", "")
	}
}

func wantProblem(t *testing.T, err error, status int, code, pointer string) {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) {
		t.Fatalf("error = %v, want problem %s", err, code)
	}
	var got string
	if len(p.Errors) > 0 {
		got = p.Errors[0].Pointer
	}
	if p.Status != status || p.Code != code || got != pointer || p.Detail == "" {
		t.Errorf("problem = %+v, want %d %s at %q", p, status, code, pointer)
	}
}

// TestPayloadArrivesAsWritten: a payload with characters that encoding/json likes to escape would change, and become six times as long.
func TestPayloadArrivesAsWritten(t *testing.T) {
	const payload = `{"html":"<b>&amp;</b>"}`
	var got struct{ Payload json.RawMessage }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(t, json.NewDecoder(r.Body).Decode(&got))
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{}`))
	}))
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL, "", client.Options{})
	must(t, err)
	t.Cleanup(c.Close)
	_, err = c.SendPush(t.Context(), client.NewPush{To: "pc-1", Type: "demo.ping", Payload: json.RawMessage(payload)})
	must(t, err)
	if diff := cmp.Diff(payload, string(got.Payload)); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
}
