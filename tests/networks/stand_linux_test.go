package networks

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/internal/client"
	"signalbox/tests/crash/rig"
)

// patience is how long something may take that must come; only what fails waits it out.
const patience = 30 * time.Second

// stand is a server and an endpoint with the real programs, and what is said to the server's API.
type stand struct {
	t        *testing.T
	nets     *nets
	programs rig.Programs
	dir      string
	ca       string // PEM
	api      *client.Client
	server   *rig.Process
	agent    *rig.Process
}

const serverText = `domain: %s
data_dir: %q
certs: {dir: %q}
listen: {tls: ["%[4]s:443"], xmpp: [], api: ["127.0.0.1:8080"], turn: [%[5]s]}
xmpp: {websocket_url: "wss://%[4]s/xmpp-websocket", shutdown_timeout: 2s}
drain: {period: 1s}
log: {level: info, format: console}
`

// newStand starts the server, in the middle.
func newStand(t *testing.T, n *nets, turn bool) *stand {
	t.Helper()
	built, err := programs()
	must(t, err)
	s := &stand{t: t, nets: n, programs: built, dir: t.TempDir()}
	ca, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{rig.Domain, serverAddr}})
	must(t, err)
	s.ca = string(ca)
	must(t, os.Mkdir(s.path("certs"), 0o700))
	must(t, os.WriteFile(s.path("certs", rig.Domain+".pem"), bundle, 0o600))
	must(t, os.WriteFile(s.path("ca.crt"), ca, 0o600))
	listen := ""
	if turn {
		listen = `"` + serverAddr + `:3478"`
	}
	text := fmt.Sprintf(serverText, rig.Domain, s.path("data"), s.path("certs"), serverAddr, listen)
	must(t, os.WriteFile(s.path("signalbox.yaml"), []byte(text), 0o600))
	token, err := exec.Command(built.Server, "token", "create", "--config", s.path("signalbox.yaml"), "--name", "test", "--scope", "admin").Output()
	must(t, err)
	where := n.open("server", serverAddr)
	s.server = s.start("server", where, built.Server, "serve", "--config", s.path("signalbox.yaml"))
	s.api, err = client.New("http://"+n.window(where.name, "127.0.0.1:8080"), strings.TrimSpace(string(token)), client.Options{Tries: 1})
	must(t, err)
	t.Cleanup(s.api.Close)
	must(t, rig.Await(t.Context(), s.server, "the server to be ready", func() (bool, error) {
		r, err := s.api.Ready(t.Context())
		return err == nil && r.Ready, nil
	}))
	return s
}

func (s *stand) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// start starts a program where a party stands, until the test ends.
func (s *stand) start(name string, where party, program string, args ...string) *rig.Process {
	s.t.Helper()
	program, args = where.in(program, args...)
	p, err := rig.Start(name, s.path(name+".log"), []string{"HOME=" + s.dir}, program, args...)
	must(s.t, err)
	s.t.Cleanup(func() {
		if err := p.Alive(); err != nil {
			s.t.Error(err)
		}
		p.End()
		if s.t.Failed() {
			s.t.Log(p.Tail())
		}
	})
	return p
}

const endpointID = "pc-1"

// enrol enrols the endpoint from where it stands, and starts its agent.
func (s *stand) enrol(where party) {
	s.t.Helper()
	made, err := s.api.CreateEnrolment(s.t.Context(), client.NewEnrolment{Endpoint: endpointID})
	must(s.t, err)
	program, args := where.in(s.programs.Agent, "enroll", "--server", serverAddr+":443", "--token", "-", "--config-dir", s.path("agent"), "--state-dir", s.path("state"),
		"--ca-file", s.path("ca.crt"), "--proxy", "direct")
	must(s.t, run(strings.NewReader(made.Token), program, args...))
	s.agent = s.start("agent", where, s.programs.Agent, "run", "--config", s.path("agent", "agent.yaml"), "--log-format", "console")
	must(s.t, rig.Await(s.t.Context(), s.agent, "the endpoint to be online", func() (bool, error) {
		p, err := s.api.Presence(s.t.Context(), endpointID)
		return p.State == "online", err
	}))
}

// visit is a technician in a session.
type visit struct {
	stand   *stand
	session string
	in      io.WriteCloser
	out     chan said
	words   int
}

// visit opens a session, and lets a technician into it from where they stand.
func (s *stand) visit(where party, transport string) *visit {
	s.t.Helper()
	grant, err := s.api.OpenSession(s.t.Context(), client.NewSession{
		Endpoint: endpointID, Technician: client.Technician{ID: "ann"}, Kinds: []string{"terminal"}, Transport: transport, Consent: &client.NewConsent{Mode: "ask_allow", Timeout: 5},
	})
	must(s.t, err)
	program, args := where.in(os.Args[0], technicianArgument)
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stderr = s.t.Output()
	v := &visit{stand: s, session: grant.ID, out: make(chan said, 16)}
	v.in, err = cmd.StdinPipe()
	must(s.t, err)
	out, err := cmd.StdoutPipe()
	must(s.t, err)
	must(s.t, cmd.Start())
	go func() {
		defer close(v.out)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var line said
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				line.Error = fmt.Sprintf("%v: %s", err, lines.Text())
			}
			v.out <- line
		}
	}()
	s.t.Cleanup(func() {
		err := v.in.Close() // which ends the technician
		kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		for range v.out { // what nobody has asked for
		}
		if err := errors.Join(err, cmd.Wait()); err != nil {
			s.t.Errorf("the technician: %v", err)
		}
		kill.Stop()
	})
	must(s.t, json.NewEncoder(v.in).Encode(task{Session: grant.ID, Token: grant.Token, URL: grant.SignallingURL, CA: s.ca}))
	return v
}

// order has the technician type a word.
func (v *visit) order() string {
	v.stand.t.Helper()
	v.words++
	word := fmt.Sprint("word", v.words)
	_, err := io.WriteString(v.in, word+"\n")
	must(v.stand.t, err)
	return word
}

// heard waits until the shell has said a word.
func (v *visit) heard(word string, within time.Duration) said {
	v.stand.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case line, ok := <-v.out:
		if !ok || line.Error != "" || line.Word != word {
			v.stand.t.Fatalf("the technician says %+v, want %q", line, word)
		}
		return line
	case <-timer.C:
		v.stand.t.Fatalf("the terminal has not answered within %v; the session is %+v", within, v.record())
		return said{}
	}
}

// record returns the session as the server has it.
func (v *visit) record() client.Session {
	v.stand.t.Helper()
	r, err := v.stand.api.Session(v.stand.t.Context(), v.session)
	must(v.stand.t, err)
	return r
}

// awaitRecord waits until the session is as it should be.
func (v *visit) awaitRecord(what string, ok func(client.Session) bool) client.Session {
	v.stand.t.Helper()
	var r client.Session
	err := rig.Await(v.stand.t.Context(), v.stand.server, what, func() (bool, error) {
		r = v.record()
		return ok(r), nil
	})
	if err != nil {
		v.stand.t.Fatalf("%v: %+v", err, r)
	}
	return r
}

// asked counts how often the endpoint's user was asked, or the endpoint accepted.
func (v *visit) asked() (n int) {
	v.stand.t.Helper()
	page, err := v.stand.api.Audit(v.stand.t.Context(), client.AuditFilter{Subject: v.session, Limit: 500})
	must(v.stand.t, err)
	for _, e := range page.Items {
		if e.Action == "session.consent" || e.Action == "session.accepted" {
			n++
		}
	}
	return n
}
