package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/tests/crash/rig"
)

const (
	domain    = "xmpp.example.test"
	itsm      = "itsm.example.test"
	itsmAddr  = serverAddr + ":8443"
	serverTLS = serverAddr + ":443"
	secret    = "s3cret-of-pc-1"
	patience  = 30 * time.Second // for what must come; only what fails waits it out
)

// stand is a whole installation with nothing wrong: DNS, the management server, the server with one endpoint, an agent's files.
type stand struct {
	t        *testing.T
	space    *space
	programs rig.Programs
	dir      string
	zone     *zone
	manager  *manager
	server   *rig.Process
	token    string
	bundle   []byte // of the server
}

const serverText = `domain: xmpp.example.test
data_dir: %q
certs: {dir: %q}
listen: {tls: ["203.0.113.1:443"], xmpp: ["203.0.113.1:5222"], turn: ["203.0.113.1:3478"], api: ["127.0.0.1:8080"], max_connections: 10000}
turn: {public_ip: ["203.0.113.1"]}
events: {host: "itsm.example.test:8443", ca_file: %q}
xmpp: {shutdown_timeout: 2s}
drain: {period: 1s}
log: {level: info, format: console}
`

// newStand starts everything.
func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{t: t, space: newSpace(t), dir: t.TempDir()}
	var err error
	s.programs, err = programs()
	must(t, err)
	s.zone = &zone{
		hosts:    map[string]string{domain: serverAddr, itsm: serverAddr},
		services: map[string]endpoint{"_xmpps-client._tcp." + domain: {domain, 443}, "_xmpp-client._tcp." + domain: {domain, 5222}},
	}
	serveDNS(t, s.space, s.zone)
	s.certificates()
	s.write("signalbox.yaml", []byte(fmt.Sprintf(serverText, s.path("data"), s.path("certs"), s.path("itsm.crt"))))
	s.write("secret", []byte(secret))
	s.token = strings.TrimSpace(s.must(s.programs.Server, "token", "create", "--config", s.path("signalbox.yaml"), "--name", "test", "--scope", "admin"))
	s.start()
	s.must(s.programs.Server, "endpoint", "create", "pc-1", "--secret-file", s.path("secret"))
	must(t, os.Mkdir(s.path("state"), 0o700))
	return s
}

// certificates makes the bundles of both servers.
func (s *stand) certificates() {
	s.t.Helper()
	must(s.t, os.Mkdir(s.path("certs"), 0o700))
	var ca []byte
	ca, s.bundle = bundle(s.t, certs.CAOptions{Names: []string{domain}})
	s.write("ca.crt", ca)
	s.write("certs/"+domain+".pem", s.bundle)
	ca, text := bundle(s.t, certs.CAOptions{Names: []string{itsm}, Name: "Management CA"})
	s.write("itsm.crt", ca)
	s.manager = serveManager(s.t, s.space, itsmAddr, pairOf(s.t, text))
}

func (s *stand) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stand) write(name string, text []byte) {
	s.t.Helper()
	must(s.t, os.WriteFile(s.path(name), text, 0o600))
}

func (s *stand) read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(s.path(name))
	must(t, err)
	return text
}

// start starts the server and waits until it is ready.
func (s *stand) start() {
	s.t.Helper()
	program, args := s.space.in(s.programs.Server, "serve", "--config", s.path("signalbox.yaml"))
	var err error
	s.server, err = rig.Start("server", s.path("server.log"), []string{"HOME=" + s.dir}, program, args...)
	must(s.t, err)
	s.t.Cleanup(func() {
		s.server.End()
		if s.t.Failed() {
			s.t.Log(s.server.Tail())
		}
	})
	api := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(_ context.Context, _, addr string) (net.Conn, error) { return s.space.dial(addr) }}}
	must(s.t, rig.Await(s.t.Context(), s.server, "the server to be ready", func() (bool, error) {
		answer, err := api.Get("http://127.0.0.1:8080/readyz")
		if err != nil {
			return false, nil
		}
		return answer.StatusCode == http.StatusOK, answer.Body.Close()
	}))
}

// command is a program in the namespace, if there is one, with the token of the API.
func (s *stand) command(program string, args ...string) *exec.Cmd {
	if s.space != nil {
		program, args = s.space.in(program, args...)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "SIGNALBOX_API_TOKEN=" + s.token}
	return cmd
}

func (s *stand) must(program string, args ...string) string {
	s.t.Helper()
	cmd := s.command(program, args...)
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s %s: %v: %s", program, strings.Join(args, " "), err, told.String())
	}
	return string(out)
}

// check is a line of either doctor.
type check struct {
	Step, Check, Code, Detail, Action string
	OK, Warning                       bool
}

func (c check) String() string {
	return fmt.Sprintf("%s [%s] %s: %s", c.Step, c.Code, c.Check, c.Detail)
}

// severity is what a line says of what it found.
type severity int

const (
	wrong severity = iota
	warns          // it works, and somebody should look at it
	well
)

// sign is what a fault must be named by: a step, a code, a piece of its sentence, and whether that is wrong. What is well has no code.
type sign struct {
	step, code, sentence string
	severity             severity
}

func (s sign) of(c check) bool {
	return c.Step == s.step && c.Code == s.code && strings.Contains(c.Check+": "+c.Detail, s.sentence) && c.OK == (s.severity != wrong) && c.Warning == (s.severity == warns)
}

// doctor runs a doctor in the namespace.
func (s *stand) doctor(t *testing.T, program string, args ...string) (checks []check, status int) {
	t.Helper()
	cmd := s.command(program, append([]string{"doctor", "-o", "json"}, args...)...)
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		must(t, err)
	}
	if err := json.Unmarshal(out, &checks); err != nil {
		t.Fatalf("%v: %s%s", err, out, told.String())
	}
	return checks, status
}

// expect asserts that every sign is there, that nothing else is wrong or warned of, that each says what to do, and that the status is right.
func expect(t *testing.T, checks []check, status int, signs ...sign) {
	t.Helper()
	want := 0 // the status
	var all []string
	for _, c := range checks {
		if c.OK && !c.Warning || c.Step == "agent" { // that none has run is said each time
			continue
		}
		all = append(all, c.String())
		if !c.OK {
			want = 1
		}
		if c.Action == "" {
			t.Errorf("no word of what to do: %s", c)
		}
		if !slices.ContainsFunc(signs, func(s sign) bool { return s.of(c) }) {
			t.Errorf("not expected: %s", c)
		}
	}
	for _, s := range signs {
		if !slices.ContainsFunc(checks, func(c check) bool { return s.of(c) }) {
			t.Errorf("nothing says %+v; wrong or warned of:\n%s", s, strings.Join(all, "\n"))
		}
	}
	if status != want {
		t.Errorf("status %d, want %d", status, want)
	}
}
