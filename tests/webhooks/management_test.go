package webhooks

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/internal/config"
	"signalbox/internal/events/webhook"
	"signalbox/tests/harness"
)

// managed has a server send its events to a receiver as the management server of that name, to the path of the configuration so far.
func managed(host string, r *receiver) func(*config.Config) {
	return func(c *config.Config) {
		r.at(c.Events.Path)
		_, port, err := net.SplitHostPort(r.srv.Listener.Addr().String())
		if err != nil {
			panic(err)
		}
		c.Events.Host = net.JoinHostPort(host, port)
		c.Events.Address = "127.0.0.1"
	}
}

// secretOf reads the secret that the server made.
func secretOf(t *testing.T, s *harness.Server) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Config.DataDir, webhook.SecretFileName))
	must(t, err)
	return strings.TrimSpace(string(text))
}

// ready reads the check of the management server.
func ready(t *testing.T, s *harness.Server) (status int, reason string) {
	t.Helper()
	res, err := http.Get(s.URL() + "/readyz")
	must(t, err)
	defer res.Body.Close()
	var body struct {
		Checks []struct {
			Name, Reason string
			OK           bool
		}
	}
	must(t, json.NewDecoder(res.Body).Decode(&body))
	for _, c := range body.Checks {
		if c.Name == "management" {
			if !c.OK {
				t.Error("the management server makes the server not ready")
			}
			return res.StatusCode, c.Reason
		}
	}
	t.Fatal("/readyz says nothing of the management server")
	return 0, ""
}

// TestManagementServer: events go to the name of the configuration at its address and path, signed with the secrets of its file, a snapshot first at every start.
func TestManagementServer(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	r := listen(t, a, "")
	secret := webhook.NewKey(webhook.HMAC, time.Now()).Text
	s := harness.New(t, quick(a), func(c *config.Config) {
		c.Events.Path, c.Events.SecretFile = "/itsm/in", filepath.Join(t.TempDir(), "secret")
		must(t, os.WriteFile(c.Events.SecretFile, []byte(secret+"\n"), 0o600))
	}, managed("itsm.signalbox.test", r))
	r.expect(secret)
	s.Run()
	t.Cleanup(s.Stop)
	c := api(t, s)
	if first := r.await(t, 1)[0]; first.Type != "presence.snapshot" {
		t.Errorf("first came %+v, want a snapshot", first)
	}
	endpoints(t, c, "pc-1")
	r.await(t, 1, "endpoint.created")
	r.await(t, 1, "server.started") // it is told of the first start, too
	r.check(t)
	if _, reason := ready(t, s); reason != "" {
		t.Errorf("readiness says %q of a management server that takes everything", reason)
	}
	harness.Await(t, func() bool { // what was taken and is not noted comes again
		h, err := c.Webhook(t.Context(), "management")
		must(t, err)
		return h.Status.Pending == 0
	}, func() string { return "not all that was taken is noted" })
	before := len(r.events())
	s.KeepPorts()
	s.Stop()
	s.Run()
	harness.Await(t, func() bool { return len(r.events("presence.snapshot")) == 2 }, func() string { return "no snapshot after a start" })
	for _, e := range r.events()[before:] {
		if e.Type == "endpoint.created" {
			t.Errorf("again after the start: %+v", e)
		}
	}
	r.check(t)
	wantCode(t, c.DeleteWebhook(t.Context(), "management"), "webhook_configured")
}

// TestManagementServerDoesNotResolve: the server starts, does its work and says what is wrong; events wait.
func TestManagementServerDoesNotResolve(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a), func(c *config.Config) { c.Events.Host = "itsm.invalid" })
	c := api(t, s)
	endpoints(t, c, "pc-1")
	h := awaitState(t, c, "management", "failing")
	if h.Status.Code != "not_resolved" || !strings.Contains(h.Status.Error, "itsm.invalid") {
		t.Errorf("status = %+v, want that the name does not resolve", h.Status)
	}
	status, reason := ready(t, s)
	if status != http.StatusOK || !strings.Contains(reason, "itsm.invalid") || !strings.Contains(reason, "next attempt") {
		t.Errorf("/readyz = %d, %q, want 200 and what is wrong", status, reason)
	}
	tested, err := c.TestWebhook(t.Context(), "management")
	must(t, err)
	if tested.OK || tested.Code != "not_resolved" {
		t.Errorf("test = %+v, want that the name does not resolve", tested)
	}
}

// TestManagementServerComesBack: what waited arrives, signed with the secret that the server made, and a test that succeeds ends the wait.
func TestManagementServerComesBack(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	r := listen(t, a, "")
	r.always(http.StatusInternalServerError)
	s := harness.Start(t, quick(a), managed("itsm.signalbox.test", r), func(c *config.Config) { c.Events.ManagementRetry = time.Hour })
	c := api(t, s)
	endpoints(t, c, "pc-1", "pc-2")
	awaitState(t, c, "management", "failing")
	harness.Await(t, func() bool { // until the waits are too long for this test
		h, err := c.Webhook(t.Context(), "management")
		must(t, err)
		return h.Status.Failures >= 3
	}, func() string { return "there is no third attempt" })
	r.expect(secretOf(t, s))
	r.always(http.StatusOK)
	d, err := c.TestWebhook(t.Context(), "management")
	must(t, err)
	if !d.OK || d.Status != http.StatusOK || d.Type != "webhook.test" {
		t.Errorf("test = %+v", d)
	}
	r.await(t, 2, "endpoint.created")
	awaitState(t, c, "management", "ok")
	r.check(t)
}

// TestCertificates: each fault of a receiver's certificate has its own name.
func TestCertificates(t *testing.T) {
	t.Parallel()
	good := newAuthority(t, certs.CAOptions{})
	for _, tc := range []struct {
		name, code string
		made       certs.CAOptions
		trusted    bool
		host       string
	}{
		{"unknown authority", "certificate_unknown_ca", certs.CAOptions{}, false, "itsm.signalbox.test"},
		{"expired", "certificate_expired", certs.CAOptions{Now: time.Now().Add(-48 * time.Hour), LeafValid: 24 * time.Hour}, true, "itsm.signalbox.test"},
		{"not yet valid", "certificate_not_yet_valid", certs.CAOptions{Now: time.Now().Add(48 * time.Hour)}, true, "itsm.signalbox.test"},
		{"another name", "certificate_wrong_name", certs.CAOptions{}, true, "other.signalbox.test"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			shown := newAuthority(t, tc.made)
			r := listen(t, shown, "")
			trusted := shown
			if !tc.trusted {
				trusted = good
			}
			s := harness.Start(t, quick(trusted), managed(tc.host, r))
			h := awaitState(t, api(t, s), "management", "failing")
			if h.Status.Code != tc.code || h.Status.Error == "" || h.Status.Action == "" {
				t.Errorf("status = %+v, want %s", h.Status, tc.code)
			}
			if n := len(r.attempts()); n > 0 {
				t.Errorf("%d events came over such a connection", n)
			}
		})
	}
}

// TestRedirectIsNoAnswer: an event is not sent where nobody said that it goes.
func TestRedirectIsNoAnswer(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	c, r, other := api(t, s), listen(t, a, ""), listen(t, a, "")
	r.answers(func(w http.ResponseWriter, _ *http.Request, _ event) int {
		w.Header().Set("Location", other.URL)
		return http.StatusTemporaryRedirect
	})
	h := register(t, c, r, "endpoint.*")
	endpoints(t, c, "pc-1")
	if h = awaitState(t, c, h.ID, "failing"); h.Status.Code != "redirected" {
		t.Errorf("status = %+v, want redirected", h.Status)
	}
	if len(other.attempts()) > 0 {
		t.Error("the redirect was followed")
	}
}

// TestSlowReceiver: who does not answer in time has not taken it.
func TestSlowReceiver(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a), func(c *config.Config) { c.Events.Timeout = time.Second })
	c, r := api(t, s), listen(t, a, "")
	r.answers(func(_ http.ResponseWriter, req *http.Request, _ event) int {
		<-req.Context().Done()
		return http.StatusOK
	})
	h := register(t, c, r, "endpoint.*")
	endpoints(t, c, "pc-1")
	if h = awaitState(t, c, h.ID, "failing"); h.Status.Code != "timed_out" {
		t.Errorf("status = %+v, want timed_out", h.Status)
	}
}

// TestOwnPortsAreNotReached: a webhook cannot have the server post to itself, though loopback is open, nor to a name that leads there.
func TestOwnPortsAreNotReached(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	s := harness.Start(t, quick(a))
	_, port, err := net.SplitHostPort(s.Addr("tls"))
	must(t, err)
	s.Call(t, "POST", "/v1/webhooks", `{"url":"https://127.0.0.1:`+port+`/"}`, http.StatusUnprocessableEntity)
	_, text := s.Call(t, "POST", "/v1/webhooks", `{"url":"https://localhost:`+port+`/"}`, http.StatusCreated)
	var made struct{ ID string }
	must(t, json.Unmarshal([]byte(text), &made))
	d, err := api(t, s).TestWebhook(t.Context(), made.ID)
	must(t, err)
	if d.Code != "not_allowed" || !strings.Contains(d.Error, "a port of this server itself") {
		t.Errorf("test = %+v, want that it is not allowed", d)
	}
}
