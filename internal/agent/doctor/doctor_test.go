//go:build unix

package doctor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/internal/agent"
	"signalbox/internal/agent/path"
	"signalbox/internal/agent/status"
	"signalbox/tests/harness"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func config(t *testing.T) agent.Config {
	t.Helper()
	cfg := agent.Default()
	cfg.ID, cfg.Domain, cfg.Secret, cfg.Proxy, cfg.StateDir = "pc-1", "xmpp.example.com", "s3cret-1", path.NoProxy, t.TempDir()
	return cfg
}

// network is DNS with some records and a net without machines.
type network map[string][]*net.SRV

func (n network) LookupSRV(_ context.Context, service, _, _ string) (string, []*net.SRV, error) {
	if list, ok := n[service]; ok {
		return "", list, nil
	}
	return "", nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

func (n network) adapt(f *path.Finder) {
	f.DNS = n
	f.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}}
	}
}

// want finds a check by its step and a piece of its detail, and compares how it ended.
func want(t *testing.T, checks []Check, step, piece string, ok, warning bool, code string) {
	t.Helper()
	for _, c := range checks {
		if c.Step == step && strings.Contains(c.Detail, piece) {
			if c.OK != ok || c.Warning != warning || c.Code != code || !ok && c.Action == "" {
				t.Errorf("check %+v, want ok %v, warning %v, code %q", c, ok, warning, code)
			}
			return
		}
	}
	t.Errorf("no check of step %s with %q in %+v", step, piece, checks)
}

func examine(t *testing.T, cfg agent.Config, change func(*examination)) []Check {
	t.Helper()
	x := &examination{Installation: Installation{File: "agent.yaml", Config: cfg}, now: time.Now, adapt: network{}.adapt}
	if change != nil {
		change(x)
	}
	x.take(t.Context())
	return x.checks
}

func TestConfigurationMistakes(t *testing.T) {
	checks := examine(t, agent.Config{}, func(x *examination) {
		x.Err = errors.Join(errors.New("id: is missing"), errors.New("domain: is missing"))
	})
	if len(checks) != 2 {
		t.Fatalf("checks %+v, want one for each mistake and nothing else", checks)
	}
	want(t, checks, "config", "id: is missing", false, false, "")
	want(t, checks, "config", "domain: is missing", false, false, "")
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	open, ca, plain := filepath.Join(dir, "open"), filepath.Join(dir, "ca"), filepath.Join(dir, "plain")
	for _, f := range []string{open, ca, plain} {
		must(t, os.WriteFile(f, []byte("x"), 0o600))
	}
	must(t, os.Chmod(open, 0o644))
	for _, tt := range []struct {
		name    string
		change  func(*agent.Config)
		piece   string
		ok      bool
		warning bool
	}{
		{"well", func(c *agent.Config) { c.Secret, c.SecretFile = "", plain }, plain + " can be read", true, false},
		{"secret that everybody can read", func(c *agent.Config) { c.Secret, c.SecretFile = "", open }, "every user can get at the secret", false, false},
		{"no secret", func(c *agent.Config) { c.Secret, c.SecretFile = "", filepath.Join(dir, "none") }, "no such file", false, false},
		{"no authority", func(c *agent.Config) { c.CAFile = ca }, "holds no PEM certificate", false, false},
		{"state directory that can be written", func(*agent.Config) {}, "MiB free", true, false},
		{"no state directory yet", func(c *agent.Config) { c.StateDir = filepath.Join(dir, "none") }, "does not exist yet", true, true},
		{"state directory that is a file", func(c *agent.Config) { c.StateDir = plain }, "cannot be written", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t)
			tt.change(&cfg)
			want(t, examine(t, cfg, nil), "files", tt.piece, tt.ok, tt.warning, "")
			if left, _ := filepath.Glob(filepath.Join(cfg.StateDir, "doctor-*")); left != nil {
				t.Errorf("it leaves %v", left)
			}
		})
	}
}

// Every way that DNS tells is climbed.
func TestWaysOfDNS(t *testing.T) {
	dns := network{"xmpps-client": {{Target: "a.example.", Port: 443}}, "xmpp-client": {{Target: "b.example.", Port: 5222}}}
	checks := examine(t, config(t), func(x *examination) { x.adapt = dns.adapt })
	want(t, checks, "dns", "DNS of xmpp.example.com: a.example:443, b.example:5222", true, false, "")
	want(t, checks, "dns", "lookup a.example:443", false, false, "name_unknown")
	want(t, checks, "dns", "lookup b.example:5222", false, false, "name_unknown")
	closed := []*net.SRV{{Target: "."}}
	checks = examine(t, config(t), func(x *examination) { x.adapt = network{"xmpps-client": closed, "xmpp-client": closed}.adapt })
	want(t, checks, "dns", "offers no XMPP", false, false, "service_not_offered")
}

// The clock is compared with the server's, and the agent is looked at.
func TestClockAndAgent(t *testing.T) {
	s := harness.Start(t)
	s.Call(t, http.MethodPost, "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, http.StatusCreated)
	cfg := config(t)
	cfg.Domain, cfg.CAFile, cfg.Addresses = harness.Domain, s.CAFile, []string{s.Addr("tls")}
	for _, tt := range []struct {
		name    string
		off     time.Duration
		piece   string
		ok      bool
		warning bool
		code    string
	}{
		{"right", 0, "agrees with the server's", true, false, ""},
		{"a little behind", -time.Minute, "behind", true, true, ""},
		{"ahead", time.Hour, "ahead", false, false, "clock_wrong"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checks := examine(t, cfg, func(x *examination) {
				x.adapt = nil
				x.now = func() time.Time { return time.Now().Add(tt.off) }
			})
			want(t, checks, "clock", tt.piece, tt.ok, tt.warning, tt.code)
			want(t, checks, "auth", "logged in as pc-1@"+harness.Domain, true, false, "")
			want(t, checks, "agent", "none has run here", true, true, "")
		})
	}
	must(t, status.Write(cfg.StateDir, status.Status{State: status.Online}))
	want(t, examine(t, cfg, func(x *examination) { x.adapt = nil }), "agent", "does not run", false, false, "")
}
