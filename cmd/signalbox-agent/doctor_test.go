package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/internal/agent/doctor"
	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/status"
)

// closedServer returns flags for an agent whose server is down.
func closedServer(t *testing.T) []string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--id", "pc-1", "--domain", "xmpp.example.com", "--secret-file", secret, "--address", "127.0.0.1:1", "--proxy", "direct", "--state-dir", t.TempDir()}
}

func TestDoctor(t *testing.T) {
	flags := closedServer(t)
	code, out, err := execute(t, t.Context(), append([]string{"doctor"}, flags...)...)
	if code != exitFailed || err == nil {
		t.Errorf("doctor = %d, %v, want 1", code, err)
	}
	for _, want := range []string{
		"config    ok       flags: endpoint pc-1 of xmpp.example.com\n",
		"files     ok       secret_file: ",
		"tcp       wrong    127.0.0.1:", "The port is closed: the machine is there and nothing listens: 127.0.0.1:", "[port_refused]\n",
		"                     to do: " + ladder.PortRefused.Action + "\n",
		"agent     warning  agent: none has run here",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("doctor prints\n%swithout %q", out, want)
		}
	}
	code, out, _ = execute(t, t.Context(), append([]string{"doctor", "-o", "json"}, flags...)...)
	var checks []doctor.Check
	if err := json.Unmarshal([]byte(out), &checks); err != nil || code != exitFailed {
		t.Fatalf("doctor -o json = %d, %v:\n%s", code, err, out)
	}
	if c := checks[len(checks)-2]; c.Code != "port_refused" || c.Step != "tcp" || c.OK || c.Action == "" {
		t.Errorf("check %+v", c)
	}
}

func TestDoctorNamesEveryMistake(t *testing.T) {
	code, out, _ := execute(t, t.Context(), "doctor", "--domain", "x", "--proxy", "socks5://u:hunter2@p:1")
	if code != exitConfig {
		t.Errorf("doctor = %d, want 78", code)
	}
	for _, want := range []string{"id: is missing", "secret: is missing", "state_dir: is missing", `proxy: "socks5" is no kind of proxy`} {
		if !strings.Contains(out, want) {
			t.Errorf("doctor prints\n%swithout %q", out, want)
		}
	}
	if strings.Contains(out, "hunter2") {
		t.Errorf("doctor shows the password:\n%s", out)
	}
}

func TestStatus(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	s := status.Status{
		PID: 7, Version: "v1", Endpoint: "pc-1@xmpp.example.com", Started: at, Updated: at, State: status.Online, Since: at, LastOnline: &at,
		Through:     &status.Through{JID: "pc-1@xmpp.example.com/r1", Address: "xmpp.example.com:443", Via: "http://proxy:3128", Remote: "192.0.2.1:443", TLS: "TLS 1.3", Keepalive: "45s"},
		LastFailure: &status.Failure{At: at, Route: "xmpp.example.com:443", Detail: "http://proxy:3128 answers 407", Reason: ladder.ProxyWrongLogin},
		Attempts:    []status.Attempt{{At: at, Route: "xmpp.example.com:443", Reached: ladder.TCP, Code: "proxy_auth", TookMS: 12}, {At: at, Route: "xmpp.example.com:443", TookMS: 30}},
		Pushes:      status.Pushes{Waiting: 2, Running: 1, Results: 3},
	}
	if err := status.Write(dir, s); err != nil {
		t.Fatal(err)
	}
	code, out, err := execute(t, t.Context(), "status", "--state-dir", dir)
	if code != exitFailed || err == nil || err.Error() != "the agent does not run" {
		t.Errorf("status of an agent that was killed = %d, %v", code, err)
	}
	for _, want := range []string{
		"does not run; last seen 2026-11-29T08:00:00Z", "xmpp.example.com:443 at 192.0.2.1:443, http://proxy:3128, TLS 1.3; asks every 45s",
		"2 wait or are handled, 1 handlers run, 3 results are not at the server for good", "[proxy_auth]", "to do: " + ladder.ProxyWrongLogin.Action,
		"xmpp.example.com:443: proxy_auth, after 12 ms", "xmpp.example.com:443: session, after 30 ms",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("status prints\n%swithout %q", out, want)
		}
	}
	_, out, _ = execute(t, t.Context(), "status", "--state-dir", dir, "-o", "json")
	var read status.Status
	if err := json.Unmarshal([]byte(out), &read); err != nil || read.Running || read.LastFailure.Code != "proxy_auth" {
		t.Errorf("status -o json: %v, %+v", err, read)
	}
}

func TestStatusOfNobody(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want int
		text string
	}{
		{"no directory named", []string{"status"}, exitConfig, "state_dir: is not known"},
		{"none has run", []string{"status", "--state-dir", t.TempDir()}, exitFailed, "no agent has run"},
		{"bad format", []string{"status", "-o", "xml"}, exitUsage, "xml"},
	} {
		code, _, err := execute(t, t.Context(), tt.args...)
		if code != tt.want || err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %d, %v, want %d and %q", tt.name, code, err, tt.want, tt.text)
		}
	}
}

// TestStatusOfARunningAgent: an agent that is started and finds no server says so.
func TestStatusOfARunningAgent(t *testing.T) {
	flags := closedServer(t)
	dir := flags[len(flags)-1]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	go func() {
		code, _, _ := execute(t, ctx, append([]string{"run", "--log-level", "error"}, flags...)...)
		ended <- code
	}()
	var out string
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && !strings.Contains(out, "[port_refused]"); {
		_, out, err = execute(t, t.Context(), "status", "--state-dir", dir)
	}
	if !strings.Contains(out, "[port_refused]") || err == nil || err.Error() != "the agent is not online" {
		t.Errorf("status = %v:\n%s", err, out)
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("run ended with %d", code)
	}
}
