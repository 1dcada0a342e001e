package packages

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"signalbox/internal/config"
)

// commentedKey is the beginning of a line with a key that the configuration of the package has as a comment; what explains it has one space.
var commentedKey = regexp.MustCompile(`(?m)^#(\S|  )`)

// TestConfigurationOfThePackage: it does as little as it says, and all that it shows as a comment is right.
func TestConfigurationOfThePackage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "deploy/debian/server/signalbox.yaml"))
	must(t, err)
	file := filepath.Join(t.TempDir(), "signalbox.yaml")
	must(t, os.WriteFile(file, commentedKey.ReplaceAll(text, []byte("$1")), 0o600))
	cfg, warnings, err := config.Load(config.Source{File: file})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("with all its keys: %v, warnings %q", err, warnings)
	}
	if cfg.Domain == "" || len(cfg.TURN.PublicIP) == 0 || len(cfg.API.AllowFrom) == 0 {
		t.Errorf("domain %q, turn.public_ip %v, api.allow_from %v: one of the keys is no comment", cfg.Domain, cfg.TURN.PublicIP, cfg.API.AllowFrom)
	}
	must(t, os.WriteFile(file, text, 0o600))
	if _, _, err := config.Load(config.Source{File: file}); err == nil {
		t.Error("as it is shipped it names no domain, and is accepted")
	}
}
