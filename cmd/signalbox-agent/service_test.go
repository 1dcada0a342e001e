package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallChecksFirst: an agent that could not run is not installed. None of these come as far as the service manager of this machine.
func TestInstallChecksFirst(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(bad, []byte("id: pc-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no file", nil, exitConfig, "install needs --config"},
		{"no such file", []string{"--config", bad + "x"}, exitConfig, "agent.yamlx"},
		{"an incomplete file", []string{"--config", bad}, exitConfig, "domain: is missing"},
		{"an argument", []string{"--config", bad, "now"}, exitUsage, "now"},
	} {
		code, _, err := execute(t, t.Context(), append([]string{"install"}, tt.args...)...)
		if code != tt.code || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %d, %v, want %d and %q", tt.name, code, err, tt.code, tt.want)
		}
	}
}
