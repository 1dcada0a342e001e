package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/internal/config"
)

// TestEnvExample: what stands in the example is understood by the program, as it is and with all that is commented out.
func TestEnvExample(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "compose", ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^#([A-Z_]+=)`).ReplaceAllString(string(text), "$1")
	for name, env := range map[string]string{"as it is": string(text), "all of it": all} {
		t.Run(name, func(t *testing.T) {
			var environ []string
			for line := range strings.Lines(env) {
				// Our own TURN server, which compose.three-hosts.yaml keeps from the program.
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "ITSM_TURN_SERVERS=") {
					environ = append(environ, line)
				}
			}
			cfg, warnings, err := config.Load(config.Source{File: filepath.Join(t.TempDir(), "signalbox.yaml"), Optional: true, Environ: environ})
			if err != nil || len(warnings) > 0 {
				t.Errorf("mistakes: %v, warnings: %q", err, warnings)
			}
			if cfg.Domain != "xmpp.itsm.local" || cfg.Events.Host != "on-premise.itsm.local" || cfg.Events.Address != "10.0.5.1" {
				t.Errorf("domain %q, management server %q at %q", cfg.Domain, cfg.Events.Host, cfg.Events.Address)
			}
		})
	}
}
