package packages

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// exposures are the most that `systemd-analyze security` may say of each unit, from 0 to 10. The agent runs whatever technicians and the management server want; see its unit.
var exposures = map[string]string{"signalbox.service": "1.6", "signalbox-turn.service": "1.6", "signalbox-agent.service": "8.5"}

// TestUnitsAreVerified has systemd read the units as they are installed, with the programs where they name them.
func TestUnitsAreVerified(t *testing.T) {
	need(t, "systemd-analyze", "systemd")
	need(t, "dpkg-deb", "dpkg")
	tree := unpacked(t)
	for unit := range exposures {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--root="+tree, filepath.Join("/usr/lib/systemd/system", unit)).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("systemd-analyze verify %s: %v\n%s", unit, err, out)
		}
	}
}

// unpacked returns a folder with the files of both packages and the units of this machine, which theirs refer to.
func unpacked(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(tree, "usr/lib"), 0o755))
	for _, args := range [][]string{
		{"cp", "-a", "/usr/lib/systemd", filepath.Join(tree, "usr/lib")},
		{"ln", "-s", "usr/lib", filepath.Join(tree, "lib")},
		{"install", "-D", "/bin/kill", filepath.Join(tree, "bin/kill")},
		{"dpkg-deb", "--extract", deb(t, "signalbox", older), tree},
		{"dpkg-deb", "--extract", deb(t, "signalbox-agent", older), tree},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return tree
}

// TestUnitsAreConfined has systemd judge how much a unit may do.
func TestUnitsAreConfined(t *testing.T) {
	need(t, "systemd-analyze", "systemd")
	for unit, most := range exposures {
		threshold := strings.ReplaceAll(most, ".", "")
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--json=short", "--threshold="+threshold,
			filepath.Join(root, "deploy/systemd", unit)).CombinedOutput()
		if err != nil {
			t.Errorf("%s is exposed by more than %s: %v\n%s", unit, most, err, worst(out))
		}
	}
}

// worst returns what a judgement holds against a unit.
func worst(judgement []byte) (lines string) {
	var all []struct{ Name, Description, Exposure string }
	if json.Unmarshal(judgement, &all) != nil {
		return string(judgement)
	}
	for _, j := range all {
		if j.Exposure != "" {
			lines += j.Exposure + "  " + j.Name + ": " + j.Description + "\n"
		}
	}
	return lines
}
