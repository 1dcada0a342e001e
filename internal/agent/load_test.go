//go:build unix

package agent

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
)

func TestLoad(t *testing.T) {
	path := writeFile(t, "agent.yaml", `
id: pc-1
domain: example.org
secret: "12345"
addresses: ["a:443", "[::1]:5222"]
state_dir: /var/lib/agent
keepalive: 30s
liveness: 10s
concurrency: 2
log: {format: console}
handlers:
  policy.refresh:
    command: ["/bin/refresh", "-v"]
    timeout: 5m
    repeatable: true
  policy.*: {command: [/bin/policy]}
`, 0o600)
	got, err := Load(path, map[string]any{"log.level": "debug", "id": "pc-2"})
	must(t, err)
	want := Default()
	want.ID, want.Domain, want.Secret = "pc-2", "example.org", "12345"
	want.Addresses, want.StateDir, want.Log.Level = []string{"a:443", "[::1]:5222"}, "/var/lib/agent", "debug"
	want.Keepalive, want.Liveness, want.Concurrency = 30*time.Second, 10*time.Second, 2
	want.Log.Format = "console"
	want.Handlers = map[string]Handler{
		"policy.refresh": {Command: []string{"/bin/refresh", "-v"}, Timeout: 5 * time.Minute, Repeatable: true},
		"policy.*":       {Command: []string{"/bin/policy"}, Timeout: time.Minute},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestLoadNamesEveryMistake(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		want       []string
	}{
		{"types", "id: 12\nkeepalive: 60\ncolour: red\naddresses: x\nallow_plain: 1\nconcurrency: many\nlog: loud\nhandlers: {a.b: {command: [1], time: 3s}, c: 1}", []string{
			"addresses: must be a list", "allow_plain: must be true or false", "colour: is unknown", "concurrency: must be a whole number",
			"handlers.a.b.command[0]: must be a text; put it in quotes", "handlers.a.b.time: is unknown", "handlers.c: must be a table of settings",
			"id: must be a text; put it in quotes", "keepalive: must be a duration with a unit, such as 90s or 5m", "log: must be a table of settings"}},
		{"values", "concurrency: 0\nkeepalive: 1s\nliveness: 2s\naddresses: [example.org]\nlog: {level: loud}\nsecret: a\nsecret_file: b\nhandlers: {agent.x: {command: [a]}, 'a..b': {timeout: 1ms}}", []string{
			"id: is missing", "domain: is missing", "secret: stands beside secret_file; keep one of them", "state_dir: is missing",
			`addresses[0]: "example.org" is not host:port`, `log.level: is "loud", must be debug, info, warn or error`,
			"keepalive: must be between 5s and 1h0m0s", "liveness: must not exceed keepalive", "concurrency: must be between 1 and 64",
			"handlers.a..b: must be a dotted name such as policy.refresh, or a prefix such as policy.*",
			"handlers.a..b.command: is missing", "handlers.a..b.timeout: must be between 1s and 24h",
			"handlers.agent.x: types that begin with agent. are the agent's own"}},
		{"key beside a secret", "id: a\ndomain: b\nsecret: x\nkey_file: k\nstate_dir: s\nserver_key: sbk1:x\ninterception: ask", []string{
			"key_file: stands beside a secret; keep one of them", `server_key: is no public key: "sbk1:" and 43 characters of base64url`, "interception: must be deny or allow_and_flag"}},
		{"socket", "id: a\ndomain: b\nsecret: x\nstate_dir: s\nlocal_socket: agent.sock", []string{`local_socket: "agent.sock" is no absolute path`}},
		{"key without the server's", "id: a\ndomain: b\nkey_file: k\nstate_dir: s", []string{"server_key: is missing, without which key_file is of no use; signalbox-agent enroll notes it"}},
		{"proxy", "id: a\ndomain: b\nsecret: x\nstate_dir: s\nproxy: socks5://u:hunter2@p:1", []string{
			`proxy: "socks5" is no kind of proxy that the agent knows; use http or https`}},
		{"password without a proxy", "id: a\ndomain: b\nsecret: x\nstate_dir: s\nproxy: direct\nproxy_password_file: f", []string{
			"proxy_password_file: is of no use: proxy is direct"}},
		{"identity", "id: 'a@b'\ndomain: exämple.org\nsecret: x\nstate_dir: s", []string{
			`domain: "exämple.org" must be written in ASCII, as in the certificate (xn--...)`}},
		{"jid", "id: 'a b'\ndomain: example.org\nsecret: x\nstate_dir: s", []string{
			`id: "a b" and domain "example.org" do not make a JID: precis: disallowed rune encountered`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(writeFile(t, "a.yaml", tt.yaml, 0o600), nil)
			if err == nil {
				t.Fatal("Load = nil error")
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefusesFiles(t *testing.T) {
	for name, path := range map[string]string{
		"missing":      filepath.Join(t.TempDir(), "none"),
		"not YAML":     writeFile(t, "a.yaml", "id: [", 0o600),
		"twice":        writeFile(t, "a.yaml", "id: a\nid: b", 0o600),
		"not a table":  writeFile(t, "a.yaml", "- id", 0o600),
		"open secret":  writeFile(t, "a.yaml", "id: a\ndomain: b\nsecret: c\nstate_dir: d", 0o644),
		"open proxy":   writeFile(t, "a.yaml", "id: a\ndomain: b\nsecret_file: c\nstate_dir: d\nproxy: http://u:p@h", 0o644),
		"only warning": writeFile(t, "a.yaml", "", 0o600),
	} {
		if _, err := Load(path, nil); err == nil {
			t.Errorf("%s: Load = nil error", name)
		}
	}
}

func TestNewReadsSecretAndAuthorities(t *testing.T) {
	cfg := testConfig(t)
	cfg.Secret, cfg.SecretFile = "", writeFile(t, "secret", " s3cret\n", 0o640)
	a, err := New(cfg, "v", zap.NewNop())
	must(t, err)
	if a.login.Secret != "s3cret" {
		t.Errorf("secret = %q, want it without white space", a.login.Secret)
	}
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"world-readable secret", func(c *Config) { c.SecretFile = writeFile(t, "secret", "x", 0o644) }, "every user can get at the secret"},
		{"empty secret", func(c *Config) { c.SecretFile = writeFile(t, "secret", "\n", 0o600) }, "is empty"},
		{"no secret file", func(c *Config) { c.SecretFile = "/nonexistent/secret" }, "secret_file"},
		{"world-readable password of the proxy", func(c *Config) { c.ProxyPasswordFile = writeFile(t, "password", "x", 0o644) }, "proxy_password_file: "},
		{"no ca file", func(c *Config) { c.CAFile = "/nonexistent/ca" }, "ca_file"},
		{"bad ca file", func(c *Config) { c.CAFile = writeFile(t, "ca", "hello", 0o600) }, "no PEM certificate"},
		{"invalid", func(c *Config) { c.ID = "" }, "id: is missing"},
	} {
		bad := cfg
		tt.change(&bad)
		if _, err := New(bad, "v", zap.NewNop()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New = %v, want %q", tt.name, err, tt.want)
		}
	}
}
