package webhooks

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// captured is a request as a library for receivers wants it.
type captured struct {
	Secret  string            `json:"secret"`
	Body    string            `json:"body"`
	Headers map[string]string `json:"headers"`
}

// capture has a server send one event and returns how it came.
func capture(t *testing.T) captured {
	t.Helper()
	got := make(chan captured, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		c := captured{Body: string(body), Headers: map[string]string{}}
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			c.Headers[name] = r.Header.Get(name)
		}
		select {
		case got <- c:
		default:
		}
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(srv.Close)
	s := harness.Start(t, func(c *config.Config) { c.Events.WebhookAllow = []string{"127.0.0.0/8"} })
	c := api(t, s)
	h, err := c.CreateWebhook(t.Context(), client.NewWebhook{URL: srv.URL, Types: []string{"endpoint.*"}, InsecureHTTP: true})
	must(t, err)
	_, err = c.CreateEndpoint(t.Context(), client.NewEndpoint{ID: "pc-1", Secret: "s3cret", Labels: map[string]string{"place": "Zürich <1>"}})
	must(t, err)
	var one captured
	harness.Await(t, func() bool {
		select {
		case one = <-got:
			return true
		default:
			return false
		}
	}, func() string { return "no event came" })
	one.Secret = h.Secret
	return one
}

// TestPublishedLibraries: receivers in other languages verify what we send, and refuse what was changed.
func TestPublishedLibraries(t *testing.T) {
	t.Parallel()
	one := capture(t)
	changed := one
	changed.Body = strings.Replace(one.Body, "pc-1", "pc-2", 1)
	for _, tc := range []struct {
		name  string
		there []string // fails where the library is not installed
		run   []string
	}{
		{"Python", []string{"python3", "-c", "import standardwebhooks"}, []string{"python3", "testdata/verify.py"}},
		{"JavaScript", []string{"test", "-d", "../interop/testdata/npm/node_modules/standardwebhooks"}, []string{"node", "../interop/testdata/npm/verify_webhook.js"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := exec.CommandContext(t.Context(), tc.there[0], tc.there[1:]...).Run(); err != nil {
				t.Skipf("LEFT OUT: the library for %s: it is not installed: %v", tc.name, err)
			}
			verify := func(c captured) (string, error) {
				text, err := json.Marshal(c)
				must(t, err)
				cmd := exec.CommandContext(t.Context(), tc.run[0], tc.run[1:]...)
				cmd.Stdin, cmd.Env = strings.NewReader(string(text)), os.Environ()
				out, err := cmd.CombinedOutput()
				return strings.TrimSpace(string(out)), err
			}
			if out, err := verify(one); err != nil || out != "endpoint.created" {
				t.Errorf("verify = %q, %v, want endpoint.created", out, err)
			}
			if out, err := verify(changed); err == nil {
				t.Errorf("a changed event is taken: %s", out)
			}
		})
	}
}
