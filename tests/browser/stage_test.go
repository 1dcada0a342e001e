package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signalbox/internal/config"
	"signalbox/internal/signalling"
	"signalbox/tests/harness"
)

const password = "correct horse battery staple"

// stage is a server behind a front that can be cut, and one endpoint, pc-1, that enrolled by a token and runs the real program.
type stage struct {
	server *harness.Server
	t      *testing.T
	front  *harness.Front
	port   string // of the console
	config string // the agent's configuration
}

// newStage runs both until the test ends. environment is added to the agent's; changes are applied to the server's configuration, which asks no user.
func newStage(t *testing.T, environment []string, changes ...func(*config.Config)) *stage {
	t.Helper()
	front := harness.NewFront(t)
	s := &stage{t: t, front: front, port: front.Port(), config: filepath.Join(t.TempDir(), "agent", "agent.yaml")}
	s.server = harness.StartTURN(t, append([]func(*config.Config){func(c *config.Config) {
		c.XMPP.WebSocketURL = "wss://localhost:" + s.front.Port() + "/xmpp-websocket" // which all addresses are taken from
		c.Session.Consent = signalling.ModeNone
	}}, changes...)...)
	s.front.Toward(s.server.Addr("tls"))
	s.enrol()
	s.runAgent(environment)
	s.server.AwaitPresence(t, "pc-1", "online")
	s.server.Call(t, "POST", "/v1/technicians", fmt.Sprintf(`{"name":"ada","password":%q,"roles":["admin"]}`, password), 201)
	return s
}

// on is the stage for a test within the test.
func (s *stage) on(t *testing.T) *stage {
	within := *s
	within.t = t
	return &within
}

// enrol has the agent make its key and configuration.
func (s *stage) enrol() {
	s.t.Helper()
	_, answer := s.server.Call(s.t, "POST", "/v1/enrolments", `{"endpoint":"pc-1"}`, 201)
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), agent(), "enroll", "--server", "localhost:"+s.front.Port(), "--token", "-", "--config-dir", filepath.Dir(s.config), "--ca-file", s.server.CAFile, "--proxy", "direct")
	cmd.Stdin = strings.NewReader(made.Token)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("enroll: %v: %s", err, out)
	}
	file, err := os.OpenFile(s.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := file.WriteString("remote:\n  loopback: true\n"); err != nil {
		s.t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// runAgent runs the program until the test ends. What it says is kept, and shown if the test fails.
func (s *stage) runAgent(environment []string) {
	s.t.Helper()
	var out said
	cmd := exec.Command(agent(), "run", "--config", s.config, "--log-format", "console")
	cmd.Env = append(append(os.Environ(), "SHELL=/bin/sh", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent"), environment...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("the agent ended with %v", err)
		}
		if s.t.Failed() {
			s.t.Logf("the agent said:\n%s", out.String())
		}
	})
}

// url is an address of the console.
func (s *stage) url(fragment string) string {
	return "https://localhost:" + s.port + "/console/" + fragment
}

// signIn signs in by a link, as a management server makes it.
func (s *stage) signIn(p *visit) {
	s.t.Helper()
	_, answer := s.server.Call(s.t, "POST", "/v1/technicians/ada/link", "", 201)
	var link struct{ URL string }
	if err := json.Unmarshal([]byte(answer), &link); err != nil {
		s.t.Fatal(err)
	}
	p.Go(link.URL)
	p.Sees(".list-name", "pc-1")
}

// connect signs in and opens a session on a tab of pc-1's page.
func (s *stage) connect(p *visit, tab, transport string) {
	s.t.Helper()
	s.signIn(p)
	p.Go(s.url("#/endpoints/pc-1/" + tab))
	p.Click("summary", "Path")
	p.Choose("select[name=transport]", transport)
	p.Click("button", "Connect")
}

// shown is a session as the API shows it.
type shown struct {
	ID, State, Reason, Path string
	Consent                 struct{ State, Desktop string }
}

// session is the newest session.
func (s *stage) session() (found shown) {
	s.t.Helper()
	_, answer := s.server.Call(s.t, "GET", "/v1/sessions?limit=1", "", 200)
	var all struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(answer), &all); err != nil || len(all.Items) == 0 {
		s.t.Fatalf("%v: %s", err, answer)
	}
	if err := json.Unmarshal(all.Items[0], &found); err != nil {
		s.t.Fatal(err)
	}
	return found
}

// reaches waits until the server says that the newest session is live on a rung.
func (s *stage) reaches(rung string) {
	s.t.Helper()
	harness.Await(s.t, func() bool { got := s.session(); return got.State == "active" && got.Path == rung },
		func() string { return fmt.Sprintf("the session is %+v, want it active on %s", s.session(), rung) })
}

// ended waits until the newest session has ended for this reason.
func (s *stage) ended(reason string) {
	s.t.Helper()
	harness.Await(s.t, func() bool { got := s.session(); return got.State == "ended" && got.Reason == reason },
		func() string { return fmt.Sprintf("the session is %+v, want it ended by %s", s.session(), reason) })
}

// local runs the command of the agent's own program that is for the user at the endpoint.
func (s *stage) local(arguments ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), agent(), append(append([]string{"session"}, arguments...), "--config", s.config)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("session %s: %v: %s", arguments, err, out)
	}
	return string(out)
}
