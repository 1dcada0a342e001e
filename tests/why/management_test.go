package why

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// managerName is the name of the management server in these tests.
const managerName = "itsm.signalbox.test"

// manager is a management server that answers as the test says.
type manager struct {
	*httptest.Server
	ca     string // file with the authority of its certificate
	status atomic.Int32
	pause  atomic.Int64 // before each answer, in nanoseconds
	broken atomic.Value // id of the endpoint of which it refuses events
}

// newManager starts one that takes everything.
func newManager(t *testing.T, o certs.CAOptions) *manager {
	t.Helper()
	m := &manager{ca: filepath.Join(t.TempDir(), "manager.crt")}
	m.status.Store(http.StatusNoContent)
	m.broken.Store("nobody")
	if o.Names == nil {
		o.Names = []string{managerName}
	}
	ca, bundle, err := certs.MakeCA(o)
	if err == nil {
		err = os.WriteFile(m.ca, ca, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(bundle, bundle)
	if err != nil {
		t.Fatal(err)
	}
	m.Server = httptest.NewUnstartedServer(m)
	m.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	m.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what some tests are about
	m.StartTLS()
	t.Cleanup(m.Close)
	return m
}

// ServeHTTP takes one event, or not.
func (m *manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e struct{ Data struct{ Endpoint string } }
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		return // the server stopped in between
	}
	select {
	case <-time.After(time.Duration(m.pause.Load())):
	case <-r.Context().Done():
		return
	}
	status := int(m.status.Load())
	if e.Data.Endpoint == m.broken.Load() {
		status = http.StatusBadRequest
	}
	w.WriteHeader(status)
}

// serves has a server send its events to it.
func (m *manager) serves(c *config.Config) {
	_, port, err := net.SplitHostPort(m.Listener.Addr().String())
	if err != nil {
		panic(err)
	}
	c.Events.Host, c.Events.Address, c.Events.CAFile = net.JoinHostPort(managerName, port), "127.0.0.1", m.ca
	c.Events.ManagementRetry, c.Events.Timeout = time.Second, 5*time.Second
}

// event returns the last rung of the ladder.
func (d diagnosed) event() string {
	last := d.Steps[len(d.Steps)-1]
	return last.Result + " " + last.Code
}

// untold waits until the management server is not told of an endpoint that is online, for this reason.
func (c *scene) untold(code string, words ...string) {
	c.t.Helper()
	d := c.await(code)
	if d.OK || d.State != "online" || d.event() != "failed "+code {
		c.t.Errorf("ok %v, state %s, event %s: want an endpoint that is online and of which nobody is told", d.OK, d.State, d.event())
	}
	says(c.t, "summary", d.Summary, append(words, c.id)...)
	c.t.Logf("%s\n\t%s\n\t%s", d.Code, d.Summary, d.Action)
}

// told waits until the management server is told of an endpoint that is online.
func (c *scene) told() {
	c.t.Helper()
	harness.Await(c.t, func() bool { d := c.diagnose(); return d.OK && d.Code == "online" && d.event() == "ok " },
		func() string { return fmt.Sprintf("the management server is not told: %+v", c.diagnose()) })
}

// relabel changes an endpoint, which is an event.
func (c *scene) relabel(value int) {
	c.t.Helper()
	c.s.Call(c.t, "PATCH", "/v1/endpoints/"+c.id, fmt.Sprintf(`{"labels":{"n":"%d"}}`, value), http.StatusOK)
}

// TestManagementServer: it takes events, refuses them, fails, takes them again, is gone; the ladder, the sentence and the doctor say so each time.
func TestManagementServer(t *testing.T) {
	t.Parallel()
	m := newManager(t, certs.CAOptions{})
	s := harness.Start(t, quick, m.serves)
	c := newScene(t, s)
	c.online()
	c.told()
	for i, tt := range []struct {
		code   string
		status int32
		words  string
	}{
		{"management_refuses", http.StatusForbidden, "403 Forbidden"}, {"management_fails", http.StatusInternalServerError, "500 Internal Server Error"},
		{"management_fails", http.StatusServiceUnavailable, "503 Service Unavailable"},
	} {
		m.status.Store(tt.status)
		c.relabel(i)
		c.untold(tt.code, managerName, tt.words, "next try at")
		c.doctorSays(false, tt.words)
		m.status.Store(http.StatusNoContent)
		c.told()
		c.doctorSays(true, "none waits")
	}
	m.Close()
	c.relabel(100)
	c.untold("management_unreachable", managerName, "connection refused")
}

// doctorSays holds what /v1/doctor says of events.
func (c *scene) doctorSays(ok bool, words string) {
	c.t.Helper()
	_, text := c.s.Call(c.t, "GET", "/v1/doctor", "", http.StatusOK)
	var d struct {
		Checks []struct {
			Step, Check, Detail string
			OK                  bool
		}
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		c.t.Fatal(err)
	}
	for _, k := range d.Checks {
		if k.Step+" "+k.Check == "server events" && (k.OK != ok || !strings.Contains(k.Detail, words)) {
			c.t.Errorf("the doctor says (ok %v) %q, want %v and %q", k.OK, k.Detail, ok, words)
		}
	}
}

// TestManagementServerNotReached: what is wrong before a request is made.
func TestManagementServerNotReached(t *testing.T) {
	t.Parallel()
	m := newManager(t, certs.CAOptions{})
	other := newManager(t, certs.CAOptions{Names: []string{"other.signalbox.test"}})
	for _, tt := range []struct {
		name, code string
		change     func(*config.Config)
		words      string
	}{
		{"no such name", "management_not_resolved", func(c *config.Config) { c.Events.Host = "itsm.invalid" }, "itsm.invalid cannot be resolved"},
		{"unknown authority", "management_certificate", func(c *config.Config) { m.serves(c); c.Events.CAFile = other.ca }, "an authority that this server does not trust"},
		{"another name", "management_certificate", other.serves, "is for other names"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newScene(t, harness.Start(t, quick, tt.change))
			c.online()
			c.untold(tt.code, tt.words)
		})
	}
}

// TestManagementServerIsSlow: it takes one event each second, and those of one endpoint follow each other.
func TestManagementServerIsSlow(t *testing.T) {
	t.Parallel()
	m := newManager(t, certs.CAOptions{})
	s := harness.Start(t, quick, m.serves)
	c := newScene(t, s)
	c.online()
	c.told()
	m.pause.Store(int64(time.Second))
	for i := range 40 { // for longer than an event may wait
		c.relabel(i)
	}
	c.untold("event_backlog", "learns of", "events wait for "+managerName)
	c.doctorSays(true, "wait for the management server")
	m.pause.Store(0)
	c.told()
}

// TestEventsSetAside: a management server that refuses what is told of one endpoint and takes the rest, which is said of that endpoint alone.
func TestEventsSetAside(t *testing.T) {
	t.Parallel()
	m := newManager(t, certs.CAOptions{})
	s := harness.Start(t, quick, m.serves)
	c, other := newScene(t, s), newScene(t, s)
	c.online()
	c.told()
	other.online()
	other.told()
	m.broken.Store(other.id)
	other.relabel(1)
	n := 1
	harness.Await(t, func() bool { n++; c.relabel(n); return other.diagnose().Code == "events_set_aside" }, // that others are taken shows when there are others
		func() string { return fmt.Sprintf("nothing is said of what is set aside: %+v", other.diagnose()) })
	other.untold("events_set_aside", managerName, "while it takes others")
	c.told()
	c.doctorSays(true, "are refused by the management server")
	m.broken.Store("nobody")
	other.told()
}
