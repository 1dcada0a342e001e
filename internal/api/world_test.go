package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/access"
	"signalbox/internal/access/enrolment"
	"signalbox/internal/access/technician"
	"signalbox/internal/audit"
	"signalbox/internal/bus"
	"signalbox/internal/campaign"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/events/webhook"
	"signalbox/internal/identity"
	"signalbox/internal/push"
	"signalbox/internal/store"
	"signalbox/internal/turnsession"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	domain         = "example.test"
	worldFollowers = 8
)

// faultyStore is the real store, which fails on demand.
type faultyStore struct {
	*store.Store
	accept atomic.Pointer[error] // what AcceptPush answers instead
	first  atomic.Pointer[error] // what AcceptTargets answers instead, for the first chunk
	chunk  atomic.Pointer[error] // what AcceptTargets answers instead, behind the first chunk
	read   atomic.Pointer[error] // what Endpoint answers instead
	push   atomic.Pointer[error] // what Push answers instead
	save   atomic.Pointer[error] // what SaveEndpoints answers instead
	enrol  atomic.Pointer[error] // what CreateEnrolment answers instead
	panics atomic.Bool           // Endpoint panics
	hold   chan struct{}         // non-nil: AcceptPush waits for it
	held   chan struct{}         // told that AcceptPush waits
	asked  chan struct{}         // non-nil: told that Push was called
}

func (f *faultyStore) CreateEnrolment(ctx context.Context, e enrolment.Enrolment, old time.Time) error {
	if err := f.enrol.Load(); err != nil {
		return *err
	}
	return f.Store.CreateEnrolment(ctx, e, old)
}

// silent is an audit that keeps nothing.
type silent struct{}

func (silent) Record(context.Context, enrolment.Entry) {}

func (f *faultyStore) AcceptPush(ctx context.Context, s push.Submission) (push.Status, error) {
	if err := f.accept.Load(); err != nil {
		return push.Status{}, *err
	}
	if f.hold != nil {
		f.held <- struct{}{}
		<-f.hold
	}
	return f.Store.AcceptPush(ctx, s)
}

func (f *faultyStore) AcceptTargets(ctx context.Context, c push.FanoutChunk) (push.AcceptedChunk, error) {
	if err := f.first.Load(); err != nil && c.Push.ID == 0 {
		return push.AcceptedChunk{}, *err
	}
	if err := f.chunk.Load(); err != nil && c.Push.ID != 0 {
		return push.AcceptedChunk{}, *err
	}
	return f.Store.AcceptTargets(ctx, c)
}

func (f *faultyStore) Endpoint(ctx context.Context, k endpoint.Key) (endpoint.Record, error) {
	if f.panics.Load() {
		panic("secret-in-a-panic")
	}
	if err := f.read.Load(); err != nil {
		return endpoint.Record{}, *err
	}
	return f.Store.Endpoint(ctx, k)
}

func (f *faultyStore) SaveEndpoints(ctx context.Context, list []endpoint.Saving, on endpoint.OnExisting) ([]endpoint.BatchOutcome, error) {
	if err := f.save.Load(); err != nil {
		return nil, *err
	}
	return f.Store.SaveEndpoints(ctx, list, on)
}

func (f *faultyStore) Push(ctx context.Context, domain string, id push.ID) (push.Status, error) {
	if f.asked != nil {
		f.asked <- struct{}{}
	}
	if err := f.push.Load(); err != nil {
		return push.Status{}, *err
	}
	return f.Store.Push(ctx, domain, id)
}

// silentSender has no sessions.
type silentSender struct{}

func (silentSender) Send(endpoint.Key, uint64, push.Push, bool, func(time.Time)) error {
	return endpoint.ErrOffline
}

// fakeSession is a session that remembers why it was ended.
type fakeSession struct {
	mu    sync.Mutex
	ended []string
}

func (*fakeSession) Deliver(endpoint.Stanza) error { return endpoint.ErrOffline }
func (f *fakeSession) End(r endpoint.Reason) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, r.Name)
}

func (*fakeSession) Facts() endpoint.Facts {
	return endpoint.Facts{Resource: "agent", Via: "tls", TLSVersion: 0x0304, Bound: time.Now()}
}
func (*fakeSession) LastHeard() time.Time { return time.Now() }

func (f *fakeSession) reasons() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

type health struct{ checks []Check }

func (h *health) Checks(context.Context) []Check { return h.checks }

// unsigned is a key whose signatures nobody looks at.
type unsigned struct{}

func (unsigned) Sign(string, []byte) []byte { return nil }

type certificates []Certificate

func (c certificates) Certificates() []Certificate { return c }

// world is a whole API on a real store.
type world struct {
	drainer  drainer
	t        *testing.T
	srv      *Server
	store    *faultyStore
	registry *endpoint.Registry
	hub      *events.Hub
	turn     *fakeTURN
	sessions *fakeSessions
	audit    *audit.Log
	health   *health
	logs     *observer.ObservedLogs
	reg      *prometheus.Registry
	tokens   map[access.Scope]string
	seen     map[string]bool // codes of the problems that were answered
	audited  []string        // who did what with which technician or role
}

// Record implements technician.Audit.
func (w *world) Record(_ context.Context, e technician.Entry) error {
	w.audited = append(w.audited, e.Actor+" "+e.Action+" "+e.Subject)
	return nil
}

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	log := zap.New(core)
	w := &world{t: t, logs: logs, reg: prometheus.NewRegistry(), health: &health{checks: []Check{{Name: "store", OK: true}}}, seen: map[string]bool{}}
	w.store = openStore(t, log)
	w.registry = endpoint.NewRegistry(bus.Local{}, w.store, 1, w.reg)
	pushes, err := push.New(push.Default(), w.store, silentSender{}, log, w.reg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, pushes.Run)
	w.hub, err = events.NewHub(events.Config{Followers: worldFollowers, Heartbeat: time.Second}, w.store, log, w.reg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, w.hub.Run)
	campaigns := campaign.New(w.store, pushes, push.Default().MaxTargets, log)
	run(t, campaigns.Run)
	w.sessions = &fakeSessions{}
	w.audit = audit.New(w.store, unsigned{}, "key", log, w.reg)
	run(t, w.audit.Run)
	w.turn = &fakeTURN{open: map[turnsession.ID]turnsession.Grant{}}
	turnSessions := turnsession.New(w.store, w.turn, w.registry, log, w.reg)
	run(t, turnSessions.Run)
	tokens := access.New(w.store, time.Now)
	w.tokens = map[access.Scope]string{}
	for _, scope := range access.Scopes() {
		if w.tokens[scope], _, err = tokens.Create(t.Context(), "only "+string(scope), []access.Scope{scope}); err != nil {
			t.Fatal(err)
		}
	}
	hooks, err := webhook.New(webhook.Default(), webhook.Deps{Store: w.store, Outbox: w.store, DataDir: t.TempDir()}, log, w.reg)
	if err != nil {
		t.Fatal(err)
	}
	enrolments := enrolment.New(enrolment.Deps{Domain: domain, Key: identity.Generate(), Store: w.store, Sessions: w.registry, Audit: silent{}, Now: time.Now, Log: log})
	w.srv, err = New(cfg, Deps{
		Enrolment: enrolments,
		Domain:    domain, Endpoints: endpoint.NewDirectory(w.store, w.registry), Registry: w.registry, Pushes: pushes, Events: w.hub, Campaigns: campaigns, TURN: turnSessions, Sessions: w.sessions, Audit: w.audit, Tokens: tokens, Health: w.health, Webhooks: hooks, Drainer: &w.drainer,
		Certs:     certificates{{File: "example.test.pem", Names: []string{"xmpp.example.test"}, NotAfter: time.Now(), Serving: true}},
		Diagnosis: answers{}, Doctor: answers{}, Web: func() string { return "https://push.example.test" },
		Metrics: promhttp.HandlerFor(w.reg, promhttp.HandlerOpts{}), Version: Version{Version: "1.2.3", Go: "go1.26"},

		Technicians: technician.NewService(technician.Default(), domain, w.store, w, log, w.reg, time.Now), Console: func() string { return "https://xmpp.example.test" },
	}, log, w.reg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func openStore(t *testing.T, log *zap.Logger) *faultyStore {
	t.Helper()
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "signalbox.db"), store.Default(), log, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	run(t, st.Run)
	return &faultyStore{Store: st}
}

// run runs a part until the end of the test and waits for its end.
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

// answer is what came back.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// json decodes the body.
func (a answer) json() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.t.Fatalf("body %q: %v", a.body, err)
	}
	return v
}

// request builds what do sends; headers are name, value pairs.
func request(method, target, token, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.7:4711"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// do sends a request as the holder of an admin token and compares the answer with the OpenAPI document.
func (w *world) do(method, target, body string, headers ...string) answer {
	w.t.Helper()
	return w.send(request(method, target, w.tokens[access.ScopeAdmin], body, headers...))
}

func (w *world) send(r *http.Request) answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.srv.Handler().ServeHTTP(rec, r)
	a := answer{t: w.t, status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
	w.checkAnswer(r, a)
	return a
}

// checkAnswer holds every answer of every test against the document that the server itself hands out.
func (w *world) checkAnswer(r *http.Request, a answer) {
	w.t.Helper()
	schemas := w.srv.api.OpenAPI().Components.Schemas
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	route := w.srv.template(r)
	op := operation(w.srv.api.OpenAPI(), r.Method, route)
	if op == nil {
		if route != "" && r.Method != http.MethodHead && !w.srv.isCompat(r) {
			w.t.Errorf("%s %s is not documented", r.Method, route)
		}
		w.checkProblem(a, nil)
		return
	}
	doc := op.Responses[strconv.Itoa(a.status)]
	if doc == nil {
		w.t.Errorf("%s %s: status %d is not documented", r.Method, route, a.status)
		return
	}
	if media == problemType {
		w.checkProblem(a, doc)
	}
	for _, name := range []string{"Location", "Idempotency-Replayed", "Retry-After", "WWW-Authenticate", "Accept"} {
		if a.header.Get(name) != "" && doc.Headers[name] == nil {
			w.t.Errorf("%s %s %d: header %s is not documented", r.Method, route, a.status, name)
		}
	}
	if a.status == http.StatusNoContent {
		return
	}
	content := doc.Content[media]
	if content == nil {
		w.t.Errorf("%s %s %d: media type %q is not documented", r.Method, route, a.status, media)
		return
	}
	if content.Schema != nil && strings.HasSuffix(media, "json") && media != linesType { // text and streams are looked at by those who read them
		validate(w.t, schemas, content.Schema, a.body)
	}
}

func (w *world) checkProblem(a answer, doc *huma.Response) {
	w.t.Helper()
	if a.status == http.StatusInternalServerError {
		for _, e := range w.logs.FilterLevelExact(zapcore.ErrorLevel).All() {
			w.t.Logf("log: %s %v", e.Message, e.ContextMap())
		}
	}
	if a.status < 400 || a.header.Get("Content-Type") != problemType {
		return
	}
	var p Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		w.t.Fatal(err)
	}
	w.seen[p.Code] = true
	if p.Status != a.status || p.Type != "/problems/"+strings.ReplaceAll(p.Code, "_", "-") || p.Title == "" || p.Detail == "" {
		w.t.Errorf("status %d with problem %+v", a.status, p)
	}
	if doc != nil && doc.Content[problemType].Examples[p.Code] == nil {
		w.t.Errorf("code %s is not documented for this route", p.Code)
	}
}

func validate(t *testing.T, schemas huma.Registry, schema *huma.Schema, body []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	var res huma.ValidateResult
	huma.Validate(schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, &res)
	for _, err := range res.Errors {
		t.Errorf("answer %s does not fit its schema: %v", body, err)
	}
}

// want fails the test unless the answer is this problem, with these places in the order of its errors.
func (a answer) want(k kind, places ...string) Problem {
	a.t.Helper()
	var p Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		a.t.Fatalf("status %d, body %q: %v", a.status, a.body, err)
	}
	if a.status != k.status || p.Code != k.code {
		a.t.Fatalf("answer = %d %s, want %d %s", a.status, a.body, k.status, k.code)
	}
	var got []string
	for _, e := range p.Errors {
		got = append(got, e.Pointer+e.Parameter)
	}
	if strings.Join(got, " ") != strings.Join(places, " ") {
		a.t.Errorf("errors of %s point at %q, want %q", a.body, got, places)
	}
	return p
}

// ok fails the test unless the answer has this status.
func (a answer) ok(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("answer = %d %s, want %d", a.status, bytes.TrimSpace(a.body), status)
	}
	return a
}
