package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/internal/identity"
)

func TestEnrollUsage(t *testing.T) {
	token := identity.NewEnrolmentToken(identity.Generate().Public()).String()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	closed := closedServer(t)
	address := closed[7]
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no server", []string{"--token", token}, exitUsage, `required flag(s) "server" not set`},
		{"no token", []string{"--server", address}, exitUsage, "a token is missing"},
		{"two tokens", []string{"--server", address, "--token", token, "--token-file", file}, exitUsage, "keep one of them"},
		{"policy", []string{"--server", address, "--token", token, "--interception", "x"}, exitUsage, "must be deny or allow_and_flag"},
		{"no token at all", []string{"--server", address, "--token", "x"}, exitFailed, "is no enrolment token"},
		{"no such file", []string{"--server", address, "--token-file", file + "x"}, exitUsage, "--token-file: "},
		{"port of STARTTLS", []string{"--server", "xmpp.example.com:5222", "--token", token}, exitFailed, "port of STARTTLS"},
		{"no address", []string{"--server", "a b", "--token", token}, exitFailed, "is not host or host:port"},
		{"nobody there", []string{"--server", address, "--token", token, "--proxy", "direct"}, exitFailed, "[port_refused]"},
		{"nobody there, from a file", []string{"--server", address, "--token-file", file, "--proxy", "direct"}, exitFailed, "[port_refused]"},
	} {
		dir := filepath.Join(t.TempDir(), "config")
		code, out, err := execute(t, t.Context(), append([]string{"enroll", "--config-dir", dir}, tt.args...)...)
		if code != tt.code || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %d, %v, want %d and %q", tt.name, code, err, tt.code, tt.want)
		}
		if err != nil && strings.Contains(err.Error()+out, token) {
			t.Errorf("%s: the token is shown: %v %s", tt.name, err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, "agent.yaml")); err == nil {
			t.Errorf("%s: a configuration was written", tt.name)
		}
	}
}
