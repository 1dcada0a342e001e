package doctor

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/internal/events/webhook"
)

const itsm = "itsm.example.test"

// receive has a management server answer with a status, with a certificate for a name, which x trusts or not.
func receive(t *testing.T, x *examination, status int, name string, trusted bool) {
	t.Helper()
	ca, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(bundle, bundle)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead && r.Header.Get("webhook-signature") == "" || r.URL.Path != "/signalbox/events" {
			t.Errorf("came %s %s without a signature", r.Method, r.URL)
		}
		w.WriteHeader(status)
	}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	if trusted {
		x.Config.Events.CAFile = filepath.Join(x.Config.DataDir, "itsm.crt")
		put(t, x.Config.Events.CAFile, ca)
	}
	manage(t, x, srv.Listener.Addr().String()[len("127.0.0.1"):])
}

// manage sets a management server on loopback with a secret.
func manage(t *testing.T, x *examination, port string) {
	t.Helper()
	x.Config.Events.Host, x.Config.Events.Address = itsm+port, "127.0.0.1"
	if _, err := webhook.LoadOrCreateKeys(filepath.Join(x.Config.DataDir, webhook.SecretFileName), time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestManagement(t *testing.T) {
	const at, backlog = "is connected to at 127.0.0.1, as events.address says", "ok backlog: nothing was sent yet"
	for _, tc := range []struct {
		name string
		edit func(*testing.T, *examination)
		want []string
	}{
		{"none", func(*testing.T, *examination) {}, []string{"ok events.host: no management server is set"}},
		{"does not resolve", func(_ *testing.T, x *examination) { x.Config.Events.Host = "nowhere.example.test" },
			[]string{"wrong nowhere.example.test: the name nowhere.example.test does not resolve", backlog}},
		{"nothing listens", func(t *testing.T, x *examination) { manage(t, x, ":1") }, []string{at, "wrong 127.0.0.1:1: nothing listens at 127.0.0.1:1: connection refused", backlog}},
		{"a foreign authority", func(t *testing.T, x *examination) { receive(t, x, 200, itsm, false) },
			[]string{at, "can be connected to", "TLS: the certificate of " + itsm + " is from an authority that this server does not trust", backlog}},
		{"another name", func(t *testing.T, x *examination) { receive(t, x, 200, "other.example.test", true) },
			[]string{at, "can be connected to", "TLS: the certificate of " + itsm + " is for other names", backlog}},
		{"no authorities in the file", func(t *testing.T, x *examination) {
			manage(t, x, ":1")
			x.Config.Events.CAFile = filepath.Join(x.Config.DataDir, webhook.SecretFileName)
		}, []string{at, "wrong events.ca_file: ", backlog}},
		{"no secret yet", func(t *testing.T, x *examination) {
			receive(t, x, 200, itsm, true)
			x.Config.DataDir = t.TempDir()
		}, []string{at, "can be connected to", "its certificate is good for " + itsm, "warning ", backlog}},
		{"refused", func(t *testing.T, x *examination) { receive(t, x, 401, itsm, true) },
			[]string{at, "can be connected to", "its certificate is good for " + itsm, "test: the receiver answered 401 Unauthorized", backlog}},
		{"taken", func(t *testing.T, x *examination) { receive(t, x, 204, itsm, true) },
			[]string{at, "can be connected to", "its certificate is good for " + itsm, "test: a signed test was taken with status 204", backlog}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			tc.edit(t, x)
			x.take(t.Context(), []Step{Management})
			wantLines(t, x, append([]string{"ok signalbox.yaml"}, tc.want...)...)
		})
	}
}
