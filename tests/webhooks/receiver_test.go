package webhooks

import (
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"signalbox/certs"
	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// event is what a receiver got.
type event struct {
	ID        string `json:"-"`
	Type      string
	Timestamp time.Time
	Data      struct {
		Seq      int64
		Endpoint string
		ID       string
		Reason   string
		Path     string
	}
	at   time.Time
	body []byte
}

// receiver is an HTTPS server that verifies what it gets with the published library, and answers what the test says.
type receiver struct {
	URL string
	srv *httptest.Server

	mu     sync.Mutex
	path   string // where events must come to
	secret string // whsec_... or whpk_...; empty: what comes is not verified
	answer func(http.ResponseWriter, *http.Request, event) int
	got    []event
	tried  []event // refused ones too
	wrong  []string
}

// authority is a CA with a certificate for receivers on loopback.
type authority struct {
	file string
	cert tls.Certificate
}

func newAuthority(t *testing.T, o certs.CAOptions) authority {
	t.Helper()
	if o.Names == nil {
		o.Names = []string{"127.0.0.1", "localhost", "itsm.signalbox.test"}
	}
	ca, bundle, err := certs.MakeCA(o)
	must(t, err)
	a := authority{file: filepath.Join(t.TempDir(), "receivers.crt")}
	must(t, os.WriteFile(a.file, ca, 0o600))
	a.cert, err = tls.X509KeyPair(bundle, bundle)
	must(t, err)
	return a
}

// listen starts a receiver at addr, a free port of loopback if it is empty.
func listen(t *testing.T, a authority, addr string) *receiver {
	t.Helper()
	r := &receiver{path: "/hook", answer: func(http.ResponseWriter, *http.Request, event) int { return http.StatusNoContent }}
	r.srv = httptest.NewUnstartedServer(r)
	if addr != "" {
		l, err := net.Listen("tcp", addr)
		must(t, err)
		must(t, r.srv.Listener.Close())
		r.srv.Listener = l
	}
	r.srv.TLS = &tls.Config{Certificates: []tls.Certificate{a.cert}, MinVersion: tls.VersionTLS12}
	r.srv.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what some tests are about
	r.srv.StartTLS()
	t.Cleanup(r.srv.Close)
	r.URL = r.srv.URL + r.path
	return r
}

// ServeHTTP takes one event.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the server stopped in between
	}
	e := event{ID: req.Header.Get("webhook-id"), at: time.Now(), body: body}
	r.mu.Lock()
	if err := r.verify(body, req.Header); err != nil {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %v", body, err))
	}
	if err := json.Unmarshal(body, &e); err != nil || req.Method != http.MethodPost || req.URL.Path != r.path || req.Header.Get("Content-Type") != "application/json" {
		r.wrong = append(r.wrong, fmt.Sprintf("%s %s %s: %v", req.Method, req.URL, body, err))
	}
	r.tried = append(r.tried, e)
	answer := r.answer
	r.mu.Unlock()
	status := answer(w, req, e)
	r.mu.Lock()
	defer r.mu.Unlock()
	if status/100 == 2 {
		r.got = append(r.got, e)
	}
	w.WriteHeader(status)
}

func (r *receiver) verify(body []byte, h http.Header) error {
	if key, ok := strings.CutPrefix(r.secret, "whpk_"); ok {
		return verifyEd25519(key, body, h)
	}
	if r.secret == "" {
		return nil
	}
	w, err := standardwebhooks.NewWebhook(r.secret)
	if err != nil {
		return err
	}
	return w.Verify(body, h)
}

// verifyEd25519 does for v1a what the published library does for v1 alone.
func verifyEd25519(key string, body []byte, h http.Header) error {
	public, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return fmt.Errorf("no public key: %w", err)
	}
	content := append([]byte(h.Get("webhook-id")+"."+h.Get("webhook-timestamp")+"."), body...)
	for signature := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		text, ok := strings.CutPrefix(signature, "v1a,")
		b, err := base64.StdEncoding.DecodeString(text)
		if ok && err == nil && ed25519.Verify(public, content, b) {
			return nil
		}
	}
	return fmt.Errorf("no signature fits in %q", h.Get("webhook-signature"))
}

// expect has the receiver verify with a secret or public key.
func (r *receiver) expect(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secret = secret
}

// at has events come to a path.
func (r *receiver) at(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.path = path
}

// answers has the receiver answer as f says.
func (r *receiver) answers(f func(http.ResponseWriter, *http.Request, event) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func (r *receiver) always(status int) {
	r.answers(func(http.ResponseWriter, *http.Request, event) int { return status })
}

// events returns what was taken, of these types or of all.
func (r *receiver) events(types ...string) []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.got), func(e event) bool { return len(types) > 0 && !slices.Contains(types, e.Type) })
}

// attempts returns what came, taken or not.
func (r *receiver) attempts() []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.tried)
}

// check fails the test if something was not signed or written as it must be.
func (r *receiver) check(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrong) > 0 {
		t.Errorf("%d requests are not what Standard Webhooks says, the first: %s", len(r.wrong), r.wrong[0])
	}
}

// await waits until n events of the types were taken.
func (r *receiver) await(t *testing.T, n int, types ...string) []event {
	t.Helper()
	harness.Await(t, func() bool { return len(r.events(types...)) >= n }, func() string {
		return fmt.Sprintf("the receiver took %d events of %v, want %d: %+v", len(r.events(types...)), types, n, r.attempts())
	})
	return r.events(types...)
}

// quick has receivers on loopback tried again soon.
func quick(a authority) func(*config.Config) {
	return func(c *config.Config) {
		c.Events.CAFile = a.file
		c.Events.WebhookAllow = []string{"127.0.0.0/8", "::1/128"}
		c.Events.Retries = append([]string{"30ms", "50ms", "100ms", "200ms", "400ms", "800ms"}, slices.Repeat([]string{"1s"}, 26)...)
		c.Events.ManagementRetry = time.Second
		c.Events.Timeout = 20 * time.Second // longer than a busy machine, or a test that holds an answer back, takes
		c.Events.OfflineGrace = 0
	}
}

func api(t *testing.T, s *harness.Server) *client.Client {
	t.Helper()
	c, err := client.New(s.URL(), s.Token, client.Options{})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// register makes a webhook for a receiver, which verifies from then on.
func register(t *testing.T, c *client.Client, r *receiver, types ...string) client.Webhook {
	t.Helper()
	h, err := c.CreateWebhook(t.Context(), client.NewWebhook{URL: r.URL, Types: types})
	must(t, err)
	r.expect(h.Secret)
	return h
}

// endpoints registers some, which is an event each.
func endpoints(t *testing.T, c *client.Client, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := c.CreateEndpoint(t.Context(), client.NewEndpoint{ID: name, Secret: "s3cret"})
		must(t, err)
	}
}

func awaitState(t *testing.T, c *client.Client, id, state string) client.Webhook {
	t.Helper()
	var h client.Webhook
	harness.Await(t, func() bool {
		var err error
		h, err = c.Webhook(t.Context(), id)
		must(t, err)
		return h.Status.State == state
	}, func() string { return fmt.Sprintf("webhook is %+v, want state %s", h.Status, state) })
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
