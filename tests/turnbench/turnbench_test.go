package turnbench

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"signalbox/tests/beside"
)

// programs builds the server and the load process.
func programs(t *testing.T, dir string) (signalbox, load string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s", "-o", dir+string(filepath.Separator), "signalbox/cmd/signalbox", "signalbox/tests/turnbench/load")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return filepath.Join(dir, "signalbox"), filepath.Join(dir, "load")
}

// TestSmoke runs every measurement with a few packets, so that the tool does not rot. It holds no figure against a bound.
func TestSmoke(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	if _, err := beside.Address(); err != nil {
		t.Skipf("LEFT OUT: the TURN server's bench: %v", err)
	}
	dir := t.TempDir()
	signalbox, load := programs(t, dir)
	for _, name := range []string{Ours, Theirs} {
		t.Run(name, func(t *testing.T) {
			if name == Theirs && !Installed() {
				t.Skip("LEFT OUT: the TURN server's bench with coturn: it is not installed (Debian package " + coturnPackage + ")")
			}
			results, err := Run(t.Context(), Options{Dir: t.TempDir(), Signalbox: signalbox, Load: load, Servers: []string{name}, Scale: Smoke(), Log: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows() {
				if len(results.Values(name, r.key)) == 0 {
					t.Errorf("nothing was measured under %s", r.key)
				}
			}
		})
	}
}

// TestTURN measures for real when TURNBENCH says so (make bench-turn); it takes three minutes per round and writes docs/BENCHMARKS.md. TURNBENCH_SERVERS and
// TURNBENCH_PARTS name what is measured alone, and then nothing is written.
func TestTURN(t *testing.T) {
	if os.Getenv("TURNBENCH") != "full" {
		t.Skip("measured by make bench-turn alone")
	}
	scale, servers, only := Full(), list("TURNBENCH_SERVERS"), list("TURNBENCH_PARTS")
	whole := len(servers)+len(only) == 0
	if len(servers) == 0 {
		servers = []string{Ours, Theirs}
	}
	if n, err := strconv.Atoi(os.Getenv("TURNBENCH_ROUNDS")); err == nil {
		scale.Rounds = n
	}
	dir := t.TempDir()
	signalbox, load := programs(t, dir)
	results, err := Run(t.Context(), Options{Dir: dir, Signalbox: signalbox, Load: load, Servers: servers, Parts: only, Scale: scale, Log: t.Logf})
	report := Machine(t.Context(), scale) + Report(results)
	t.Log("\n" + report)
	if err != nil {
		t.Fatal(err)
	}
	if whole {
		if err := beside.Write("../../docs/BENCHMARKS.md", Target, report); err != nil {
			t.Error(err)
		}
	}
}

// list reads a comma separated variable of the environment.
func list(variable string) []string {
	return strings.FieldsFunc(os.Getenv(variable), func(r rune) bool { return r == ',' })
}
