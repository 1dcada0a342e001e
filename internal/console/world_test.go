package console

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	coder "github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/access/technician"
	"signalbox/internal/bus"
	"signalbox/internal/diagnosis"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	domain   = "push.example"
	password = "correct horse battery"
)

// pageFiles are a console of few words.
var pageFiles = fstest.MapFS{
	"index.html":           {Data: []byte(`<script type="module" src="assets/main.js"></script><link rel="stylesheet" href="assets/main.css">`)},
	"assets/main.js":       {Data: []byte(`import "./vendor/x.js"`)},
	"assets/main.css":      {Data: []byte(`body{}`)},
	"assets/vendor/x.js":   {Data: []byte(`export {}`)},
	"assets/vendor/LI.txt": {Data: []byte(`MIT`)},
}

// trail is an audit in memory.
type trail struct {
	mu  sync.Mutex
	all []technician.Entry
}

func (a *trail) Record(_ context.Context, e technician.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, e)
	return nil
}

// has reports whether there is an entry of this action by an actor about a subject.
func (a *trail) has(actor, action, subject string) bool { return a.count(actor, action, subject) > 0 }

func (a *trail) count(actor, action, subject string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.all {
		if e.Actor == actor && e.Action == action && e.Subject == subject {
			n++
		}
	}
	return n
}

// why answers why.
type why struct{}

func (why) Endpoint(_ context.Context, id string) (diagnosis.Diagnosis, error) {
	return diagnosis.Diagnosis{ID: id, Finding: diagnosis.Finding{Code: "never_seen", Summary: "It was never seen."}}, nil
}

func (why) Timeline(_ context.Context, id, from string, limit int) (diagnosis.Page, error) {
	if from == "bad" {
		return diagnosis.Page{}, diagnosis.ErrCursor
	}
	return diagnosis.Page{Entries: []diagnosis.Entry{{Kind: "endpoint.online", Summary: id + " came online" + from, Count: limit}}, Next: "behind"}, nil
}

// world is a console on a real store, served over TLS.
type world struct {
	t           *testing.T
	h           *Handler
	srv         *httptest.Server
	store       *store.Store
	registry    *endpoint.Registry
	directory   *endpoint.Directory
	technicians *technician.Service
	trail       *trail
	broker      *fakeBroker
	stop        context.CancelFunc        // ends the contexts of requests, as the shared port does when the server stops
	stood       atomic.Pointer[time.Time] // where the clock stands; nil: it goes
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

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, trail: &trail{}, broker: newFakeBroker()}
	log, reg := zap.NewNop(), prometheus.NewRegistry()
	var err error
	if w.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), store.FileName), store.Default(), log, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	run(t, w.store.Run)
	w.registry = endpoint.NewRegistry(bus.Local{}, w.store, 1, reg)
	w.directory = endpoint.NewDirectory(w.store, w.registry)
	hub, err := events.NewHub(events.Default(), w.store, log, reg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, hub.Run)
	w.technicians = technician.NewService(technician.Default(), domain, w.store, w.trail, log, reg, w.now)
	w.h, err = New(Deps{
		Domain: domain, Version: "1.2.3", Technicians: w.technicians, Endpoints: w.directory, Registry: w.registry, Events: hub, Why: why{},
		Diagnosis: func(d diagnosis.Diagnosis) any { return map[string]string{"id": d.ID, "code": d.Code} },
		Sessions:  w.broker, Seats: w.broker, Base: func() string { return "https://console.example:8443" }, Files: pageFiles,
	}, log, reg)
	if err != nil {
		t.Fatal(err)
	}
	w.h.rates.now = w.now
	w.registry.Watch(w.h.Watcher())
	run(t, w.h.Run)
	w.serve()
	return w
}

// now is the clock of sign-ins and of how often somebody may ask.
func (w *world) now() time.Time {
	if at := w.stood.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// stand has the clock stand so much later than now: for tests of what is too much within a time, whose requests take longer than that on a busy machine, and of what is too late.
func (w *world) stand(later time.Duration) {
	at := time.Now().Add(later)
	w.stood.Store(&at)
}

// serve serves until the end of the test.
func (w *world) serve() {
	serving, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.srv = httptest.NewUnstartedServer(w.h)
	w.srv.Config.BaseContext = func(net.Listener) context.Context { return serving }
	w.srv.StartTLS()
	w.t.Cleanup(func() {
		stop()
		w.srv.Close()
	})
}

// technician makes an account.
func (w *world) technician(name string, roles ...string) technician.Technician {
	w.t.Helper()
	made, err := w.technicians.Create(w.t.Context(), technician.New{Name: name, Display: strings.ToUpper(name), Roles: roles}, "token:x")
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// endpoint registers an endpoint.
func (w *world) endpoint(id string, groups ...string) endpoint.Key {
	w.t.Helper()
	e := endpoint.Endpoint{Key: endpoint.Key{Domain: domain, ID: id}, Enabled: true, Groups: groups, Labels: map[string]string{"site": "Site of " + id}}
	if _, _, err := w.directory.Create(w.t.Context(), e, ""); err != nil {
		w.t.Fatal(err)
	}
	return e.Key
}

// browser is somebody's browser: it keeps a cookie.
type browser struct {
	w      *world
	cookie string
}

// signedIn is a browser of a new technician with these roles.
func (w *world) signedIn(name string, roles ...string) *browser {
	w.t.Helper()
	w.technician(name, roles...)
	return w.byLink(name)
}

// byLink signs a technician in.
func (w *world) byLink(name string) *browser {
	w.t.Helper()
	b := &browser{w: w}
	b.post("signin/link", `{"token":"`+w.link(name)+`"}`).ok(http.StatusOK)
	return b
}

func (w *world) link(name string) string {
	w.t.Helper()
	token, _, err := w.technicians.CreateLink(w.t.Context(), name, "token:x")
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// reply is what came back.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

func (b *browser) get(path string, headers ...string) reply {
	b.w.t.Helper()
	return b.do("GET", path, "", headers...)
}

func (b *browser) post(path, body string, headers ...string) reply {
	b.w.t.Helper()
	return b.do("POST", path, body, headers...)
}

// do sends a request as the pages do; headers are name, value pairs, and an empty value leaves one out.
func (b *browser) do(method, path, body string, headers ...string) reply {
	b.w.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = apiPath + path
	}
	r, err := http.NewRequestWithContext(b.w.t.Context(), method, b.w.srv.URL+path, strings.NewReader(body))
	if err != nil {
		b.w.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method != "GET" && method != "HEAD" {
		r.Header.Set("Origin", b.w.srv.URL)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(guardHeader, "1")
	}
	if b.cookie != "" {
		r.Header.Set("Cookie", cookieName+"="+b.cookie)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Del(headers[i]); headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	client := b.w.srv.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(r)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		if c.Name == cookieName {
			b.cookie = c.Value
		}
	}
	return reply{b.w.t, resp.StatusCode, resp.Header, data}
}

// ok fails the test unless the reply has this status.
func (r reply) ok(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("answer = %d %s, want %d", r.status, r.body, status)
	}
	return r
}

// want fails the test unless the reply is this problem.
func (r reply) want(k kind) reply {
	r.t.Helper()
	var p problem
	if err := json.Unmarshal(r.body, &p); err != nil || r.status != k.status || p.Code != k.code || p.Title != k.title || r.header.Get("Content-Type") != "application/problem+json" {
		r.t.Fatalf("answer = %d %s, want %d %s", r.status, r.body, k.status, k.code)
	}
	return r
}

// into decodes the body.
func (r reply) into(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("body %s: %v", r.body, err)
	}
}

// ids returns the ids of a list, and its cursor.
func (r reply) ids() (ids []string, next string) {
	r.t.Helper()
	var l list[struct {
		ID string `json:"id"`
	}]
	r.ok(http.StatusOK).into(&l)
	for _, item := range l.Items {
		ids = append(ids, item.ID)
	}
	return ids, l.Next
}

// dial opens a WebSocket as pages do; headers are name, value pairs.
func (b *browser) dial(path, protocol string, headers ...string) (*coder.Conn, *http.Response, error) {
	b.w.t.Helper()
	h := http.Header{"Origin": {b.w.srv.URL}}
	if b.cookie != "" {
		h.Set("Cookie", cookieName+"="+b.cookie)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if h.Del(headers[i]); headers[i+1] != "" {
			h.Set(headers[i], headers[i+1])
		}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.w.srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}}
	ws, resp, err := coder.Dial(b.w.t.Context(), b.w.srv.URL+path, &coder.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: h, Subprotocols: strings.Split(protocol, ", "),
	})
	if ws != nil {
		ws.SetReadLimit(1 << 20)
		b.w.t.Cleanup(func() { _ = ws.CloseNow() })
	}
	b.w.t.Cleanup(transport.CloseIdleConnections)
	return ws, resp, err
}

// open is dial that must succeed.
func (b *browser) open(path, protocol string) *coder.Conn {
	b.w.t.Helper()
	ws, _, err := b.dial(path, protocol)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return ws
}

func say(t *testing.T, ws *coder.Conn, text string) {
	t.Helper()
	if err := ws.Write(t.Context(), coder.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// hear reads one message into v.
func hear(t *testing.T, ws *coder.Conn, v any) {
	t.Helper()
	_, data, err := ws.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}

// closes reads until the WebSocket is closed and checks why.
func closes(t *testing.T, ws *coder.Conn, want ending) {
	t.Helper()
	for {
		_, _, err := ws.Read(t.Context())
		if err == nil {
			continue
		}
		var closed coder.CloseError
		if !errors.As(err, &closed) || closed.Code != want.code || want != endTooBig && closed.Reason != want.reason {
			t.Fatalf("closed with %v, want %d %s", err, want.code, want.reason)
		}
		return
	}
}
