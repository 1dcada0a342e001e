package why

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"signalbox/certs"
	"signalbox/internal/agent"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// TestSessions: what is said of endpoints that have, or had, a session.
func TestSessions(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick, func(c *config.Config) {
		c.XMPP.Liveness, c.XMPP.PingAfter, c.XMPP.WriteTimeout = 20*time.Second, time.Second, time.Second
		c.XMPP.QueueBytes, c.XMPP.MaxStanzaBytes, c.Push.Window, c.Push.QueueBytes = 256<<10, 128<<10, 128, 16<<20
	})
	for _, r := range []row{
		{"no presence", "no_presence", func(c *scene) { c.stream().Login(c.id, secret, "agent") }, []string{"$ID is connected", "$IP", "no presence", "no pushes"}, []string{"<presence/>"}},
		{"goes silent", "silent_death", func(c *scene) { c.online() }, []string{"$ID fell silent", "nothing came from $IP"}, []string{"switched on", "firewall"}},
		{"loses its connection", "connection_lost", func(c *scene) { c.online().Close() }, []string{"$ID lost its connection", "$IP"}, []string{"signalbox-agent doctor"}},
		{"is taken over, and the newer one goes", "closed_by_endpoint", func(c *scene) {
			first := c.online()
			second := c.stream()
			second.Login(c.id, secret, "another")
			first.Want("conflict")
			second.Send("</stream:stream>")
		}, []string{"$ID ended its session by itself"}, []string{"Start the machine"}},
		{"says goodbye", "closed_by_endpoint", (*scene).home, []string{"$ID ended its session by itself"}, []string{"Start the machine"}},
		{"is disconnected", "ended_by_operator", func(c *scene) {
			c.online()
			c.s.Call(c.t, "POST", "/v1/endpoints/"+c.id+"/disconnect", "", http.StatusOK)
		}, []string{"$ID was disconnected by"}, []string{"agent runs"}},
		{"gets a new secret", "secret_changed", func(c *scene) {
			c.online()
			c.s.Call(c.t, "POST", "/v1/endpoints/"+c.id+"/secret", "", http.StatusOK)
		}, []string{"$ID was disconnected", "secret was changed"}, []string{"Set the new secret"}},
		{"sends what it may not", "misbehaved", func(c *scene) { c.online().Send("<!-- -->") }, []string{"$ID was disconnected", "restricted_xml"}, []string{"REASONS.md"}},
		{"is enabled again", "session_ended", func(c *scene) {
			c.online()
			c.s.Call(c.t, "PATCH", "/v1/endpoints/"+c.id, `{"enabled":false}`, http.StatusOK)
			c.s.AwaitPresence(c.t, c.id, "offline")
			c.s.Call(c.t, "PATCH", "/v1/endpoints/"+c.id, `{"enabled":true}`, http.StatusOK)
		}, []string{"$ID is offline", "endpoint_disabled"}, []string{"REASONS.md"}},
		{"does not read", "slow_reader", func(c *scene) {
			c.deaf = true
			c.online()
			for range 100 { // more than the kernel holds for it
				c.s.Submit(c.t, `{"to":"`+c.id+`","type":"demo","payload":"`+strings.Repeat("x", 60_000)+`"}`)
			}
		}, []string{"$ID was disconnected", "did not take what was sent"}, []string{"agent hangs"}},
		{"does not acknowledge", "queue_full", func(c *scene) {
			st := c.online()
			st.Send("<enable xmlns='urn:xmpp:sm:3'/>")
			go func() { // ends with the stream, which the test closes
				for range 1900 {
					if _, err := st.Write(largePing); err != nil {
						return
					}
				}
			}()
			for got := st.Next(); got != "(end)" && got != "(closed)"; got = st.Next() {
			}
		}, []string{"$ID was disconnected", "acknowledgement"}, []string{"kept and sent again"}},
		{"has a twin", "cloned", func(c *scene) {
			twin := *c
			twin.ip = "127.0.9.9"
			for range 2 {
				c.online().Sync() // what comes in behind the next login would look like an answer
				twin.online().Sync()
			}
		}, []string{"Sessions of $ID", "$IP", "127.0.9.9", "two machines"}, []string{"id and a secret of its own"}},
		{"runs twice", "takeover_loop", func(c *scene) {
			for range 4 {
				c.online().Sync()
			}
		}, []string{"Sessions of $ID from $IP", "two programs"}, []string{"End one of the two"}},
	} {
		r.run(t, s, false)
	}
}

// largePing has an answer that is as large.
var largePing = "<iq xmlns='jabber:client' type='get' id='" + strings.Repeat("x", 1000) + "'><ping xmlns='urn:xmpp:ping'/></iq>"

// TestOnline: the real agent is fine, and its ladder says so.
func TestOnline(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	c := newScene(t, s)
	runAgent(t, s, c.id)
	s.AwaitPresence(t, c.id, "online")
	d := c.await("online")
	if !d.OK || d.State != "online" {
		t.Errorf("diagnosis = %+v", d)
	}
	for _, r := range d.Steps[:8] {
		if r.Result != "ok" || r.Address != "127.0.0.1" {
			t.Errorf("step %s is %s from %q", r.Step, r.Result, r.Address)
		}
	}
}

// runAgent runs the real agent until the test ends, or stop is called.
func runAgent(t *testing.T, s *harness.Server, id string, changes ...func(*agent.Config)) (stop func()) {
	t.Helper()
	cfg := agent.Default()
	cfg.ID, cfg.Domain, cfg.Secret, cfg.Addresses, cfg.CAFile, cfg.StateDir = id, harness.Domain, secret, []string{s.Addr("tls")}, s.CAFile, t.TempDir()
	for _, change := range changes {
		change(&cfg)
	}
	a, err := agent.New(cfg, "test", zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("agent ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// TestAgentRefused: the real agent, set up wrongly, and what is said of it.
func TestAgentRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	for _, tt := range []struct {
		name, code string
		change     func(*agent.Config)
		words      string
	}{
		{"another authority", "cert_wrong_name", func(c *agent.Config) { c.CAFile = filepath.Join(filepath.Dir(s.Config.DataDir), "clients.pem") }, "alert 42"},
		{"another secret", "wrong_secret", func(c *agent.Config) { c.Secret = "another-secret" }, "does not know its secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newScene(t, s)
			stop := runAgent(t, s, c.id)
			s.AwaitPresence(t, c.id, "online")
			stop()
			s.AwaitPresence(t, c.id, "offline")
			runAgent(t, s, c.id, tt.change)
			says(t, "summary", c.await(tt.code).Summary, c.id, tt.words, "127.0.0.1")
		})
	}
}

// TestServerStopped: an endpoint that did not come back after a restart.
func TestServerStopped(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	c := newScene(t, s)
	c.online()
	s.Stop()
	s.Run()
	d := c.await("server_stopped")
	says(t, "summary", d.Summary, c.id, "when this server sent its endpoints away or stopped")
	says(t, "action", d.Action, "Wait some minutes")
}

// TestServerDraining: endpoints are sent away, and may come back when the drain is undone.
func TestServerDraining(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	c := newScene(t, s)
	c.online()
	s.Call(t, "POST", "/v1/drain", `{"period":1}`, http.StatusAccepted)
	d := c.await("server_draining")
	says(t, "summary", d.Summary, c.id+" has no session", "sends its endpoints away")
	says(t, "action", d.Action, "signalbox drain --undo")
	push := c.submit("")
	says(t, "summary", c.explain(push, "waits_for_endpoint").Summary, "this server sends its endpoints away")
	s.Call(t, "DELETE", "/v1/drain", "", http.StatusOK)
	c.await("server_stopped")
	c.online()
	c.await("online")
}

// TestServerCertificate: our own certificate expires, and nobody can connect.
func TestServerCertificate(t *testing.T) {
	t.Parallel()
	s := harness.New(t, quick)
	_, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{harness.Domain}, LeafValid: 10 * time.Second})
	if err == nil {
		err = os.WriteFile(filepath.Join(s.Config.Certs.Dir, harness.Domain+".pem"), bundle, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Run()
	t.Cleanup(s.Stop)
	c := newScene(t, s)
	d := c.await("server_certificate")
	says(t, "summary", d.Summary, "443", "expired")
	says(t, "action", d.Action, "certs.dir")
}

// TestExpiredBundle: a further bundle has expired, and a client asks for its name.
func TestExpiredBundle(t *testing.T) {
	t.Parallel()
	s := harness.New(t, quick)
	_, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{"old.example"}, Now: time.Now().Add(-48 * time.Hour), LeafValid: time.Hour})
	if err == nil {
		err = os.WriteFile(filepath.Join(s.Config.Certs.Dir, "old.example.pem"), bundle, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Run()
	t.Cleanup(s.Stop)
	c := newScene(t, s)
	c.home()
	alert("old.example", 45)(c)
	d := c.await("cert_expired")
	says(t, "summary", d.Summary, c.id, "expired on 20", "alert 45")
	says(t, "action", d.Action, "certs.dir")
}

// TestDiskFull: the store takes no writes, which stands beside what is the case with the endpoint.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=700"); err != nil {
		t.Skipf("LEFT OUT: a full disk under the server: a file system of its own takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	s := harness.New(t, quick, func(c *config.Config) { c.DataDir = dir })
	s.Run()
	t.Cleanup(s.Stop)
	c := newScene(t, s)
	c.home()
	size := 4 << 20
	for i := 0; size > 0; i++ {
		if err := os.WriteFile(filepath.Join(dir, "filler"+strings.Repeat("x", i)), make([]byte, size), 0o600); err != nil {
			size /= 2
		}
	}
	var d diagnosed
	harness.Await(t, func() bool {
		c.online().Close()
		d = c.diagnose()
		return len(d.Also) > 0
	}, func() string { return "nothing is said of the disk" })
	if d.Also[0].Code != "disk_full" || !strings.Contains(d.Also[0].Summary, "cannot write to its disk") || !strings.Contains(d.Also[0].Action, "data_dir") {
		t.Errorf("also = %+v", d.Also)
	}
}

// TestBindLimit: with open routing an account has so many sessions.
func TestBindLimit(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick, func(c *config.Config) { c.XMPP.Routing, c.XMPP.MaxResources = "open", 2 })
	c := newScene(t, s)
	kept := []*harness.Stream{c.stream(), c.stream()}
	kept[0].Login(c.id, secret, "one")
	kept[1].Login(c.id, secret, "two")
	third := c.stream()
	third.Authenticate(c.id, secret)
	third.Send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>three</resource></bind></iq>")
	third.Want("resource-constraint")
	d := c.await("no_presence")
	if len(d.Attempts) != 1 || d.Attempts[0].Code != "bind_limit" || d.Attempts[0].By != "name" {
		t.Errorf("attempts = %+v", d.Attempts)
	}
}
