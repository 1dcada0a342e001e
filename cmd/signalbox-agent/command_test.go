package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func execute(t *testing.T, ctx context.Context, args ...string) (code int, stdout string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	c := newCommand(&out, &log)
	c.SetArgs(args)
	err = c.ExecuteContext(ctx)
	return exitCode(err), out.String(), err
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	filesRoot := filepath.Join(dir, "agent.yaml")
	text := fmt.Sprintf("id: a\ndomain: localhost\nsecret_file: %q\nstate_dir: %q\nremote: {files_root: %q}\n", secret, dir, filepath.Join(dir, "nowhere"))
	if err := os.WriteFile(filesRoot, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	run := []string{"run", "--id", "a", "--domain", "localhost", "--secret-file", secret, "--address", "127.0.0.1:1"}
	for _, tt := range []struct {
		name string
		args []string
		want int
		text string // in the error
	}{
		{"help", []string{"--help"}, 0, ""},
		{"nothing", nil, 0, ""},
		{"unknown command", []string{"bad"}, 2, "unknown command"},
		{"unknown flag", []string{"run", "--bad"}, 2, "unknown flag"},
		{"argument", []string{"run", "bad"}, 2, "bad"},
		{"bad format", []string{"version", "-o", "xml"}, 2, "xml"},
		{"no configuration", []string{"run"}, 78, "id: is missing"},
		{"missing file", []string{"run", "--config", filepath.Join(dir, "none")}, 78, "none"},
		{"bad level", append(run, "--state-dir", dir, "--log-level", "loud"), 78, "log.level"},
		{"check without configuration", []string{"config", "check"}, 78, "id: is missing"},
		{"check of a good configuration", append([]string{"config", "check"}, append(run[1:], "--state-dir", filepath.Join(dir, "never"))...), 0, ""},
		{"check of a root that is not there", []string{"config", "check", "--config", filesRoot}, 78, "remote.files_root"},
		{"sessions of no agent", []string{"session", "list", "--id", "a"}, 78, "set --config, --state-dir or --local-socket"},
		{"sessions of an agent that does not run", []string{"session", "list", "--state-dir", dir}, 1, "no agent answers at " + filepath.Join(dir, "agent.sock")},
		{"sessions at a place that is named", []string{"session", "end", "ses_1", "--local-socket", filepath.Join(dir, "sock")}, 1, "no agent answers at " + filepath.Join(dir, "sock")},
		{"interrupted", append(run, "--state-dir", filepath.Join(dir, "state")), 0, ""},
		{"no state", append(run, "--state-dir", filepath.Join(secret, "state")), 1, "journal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, _, err := execute(t, ended, tt.args...)
			if code != tt.want {
				t.Errorf("%v = %d (%v), want %d", tt.args, code, err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v says %q, want %q in it", tt.args, err, tt.text)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	if _, out, err := execute(t, t.Context(), "version"); err != nil || strings.TrimSpace(out) == "" {
		t.Errorf("version = %q, %v", out, err)
	}
	_, out, err := execute(t, t.Context(), "version", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]string
	if err := json.Unmarshal([]byte(out), &v); err != nil || v["version"] == "" || v["os"] == "" {
		t.Errorf("version -o json = %s (%v)", out, err)
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look(newCommand(os.Stdout, os.Stderr))
}
