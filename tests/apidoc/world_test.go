package apidoc

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"signalbox/certs"
	"signalbox/internal/agent"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// world is what the page takes for granted: a server, the endpoint pc-1 with its agent, the endpoint pc-7, which is asked for remote sessions and does not answer, and a receiver of
// webhooks.
type world struct {
	server   *harness.Server
	receiver string // URL
	received string // directory with the headers and the body of the last test that the receiver got

	mu       sync.Mutex
	messages [][]byte // that the receiver got
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{received: t.TempDir()}
	var ca string
	w.receiver, ca = w.receive(t)
	w.server = harness.StartTURN(t, func(c *config.Config) {
		c.Events.CAFile = ca
		c.Events.WebhookAllow = []string{"127.0.0.0/8"}
	})
	const secret = "s3cret-1"
	w.server.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"`+secret+`"}`, http.StatusCreated)
	cfg := agent.Default()
	cfg.ID, cfg.Domain, cfg.Secret = "pc-1", harness.Domain, secret
	cfg.Addresses, cfg.CAFile, cfg.StateDir = []string{w.server.Addr("tls")}, w.server.CAFile, filepath.Join(t.TempDir(), "agent")
	runAgent(t, cfg)
	w.server.AwaitPresence(t, "pc-1", "online")
	w.server.Call(t, "POST", "/v1/endpoints", `{"id":"pc-7","secret":"`+secret+`"}`, http.StatusCreated)
	asked := w.server.Connect(t, "pc-7")
	asked.Login("pc-7", secret, "agent")
	asked.Send("<presence/>")
	w.server.AwaitPresence(t, "pc-7", "online")
	return w
}

// runAgent runs the agent until the test ends.
func runAgent(t *testing.T, cfg agent.Config) {
	t.Helper()
	a, err := agent.New(cfg, "test", zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("agent ended with %v", err)
		}
	})
}

// receive runs a receiver of webhooks until the test ends, and returns its URL and the file with the authority that signed its certificate.
func (w *world) receive(t *testing.T) (url, caFile string) {
	t.Helper()
	ca, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{"127.0.0.1"}})
	must(t, err)
	caFile = filepath.Join(t.TempDir(), "receiver.crt")
	must(t, os.WriteFile(caFile, ca, 0o600))
	cert, err := tls.X509KeyPair(bundle, bundle)
	must(t, err)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(w.take))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL + "/hooks/signalbox", caFile
}

// take keeps a test as it came, for the page's reader to verify.
func (w *world) take(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages = append(w.messages, body)
	if bytes.HasPrefix(body, []byte(`{"type":"webhook.test"`)) {
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			err = errors.Join(err, os.WriteFile(filepath.Join(w.received, name), []byte(r.Header.Get(name)), 0o600))
		}
		err = errors.Join(err, os.WriteFile(filepath.Join(w.received, "body"), body, 0o600))
	}
	if err != nil {
		rw.WriteHeader(http.StatusInternalServerError)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
