package sessionbench

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"signalbox/tests/beside"
)

// options builds the programs, and makes places for what they write.
func options(t *testing.T, scale Scale) Options {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	if _, err := beside.Address(); err != nil {
		t.Skipf("LEFT OUT: the bench of remote sessions: %v", err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s", "-o", dir+string(filepath.Separator),
		"signalbox/cmd/signalbox", "signalbox/cmd/signalbox-agent", "signalbox/tests/sessionbench/load")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o700); err != nil {
		t.Fatal(err)
	}
	if memory, err := os.MkdirTemp("/dev/shm", "sessionbench-"); err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(memory) })
		files = memory
	}
	return Options{
		Dir: dir, Files: files, Signalbox: filepath.Join(dir, "signalbox"), Agent: filepath.Join(dir, "signalbox-agent"), Load: filepath.Join(dir, "load"), Scale: scale, Log: t.Logf,
	}
}

// TestSmoke runs every measurement once, so that the tool does not rot. It holds no figure against a bound.
func TestSmoke(t *testing.T) {
	results, err := Run(t.Context(), options(t, Smoke()))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if len(results.Values(Ours, r.key)) == 0 {
			t.Errorf("nothing was measured under %s", r.key)
		}
	}
}

// TestSession measures for real when SESSIONBENCH says so (make bench-session), and writes docs/BENCHMARKS.md.
func TestSession(t *testing.T) {
	if os.Getenv("SESSIONBENCH") != "full" {
		t.Skip("measured by make bench-session alone")
	}
	scale := Full()
	if n, err := strconv.Atoi(os.Getenv("SESSIONBENCH_ROUNDS")); err == nil {
		scale.Rounds = n
	}
	results, err := Run(t.Context(), options(t, scale))
	report := Machine(t.Context(), scale) + Report(results)
	t.Log("\n" + report)
	if err != nil {
		t.Fatal(err)
	}
	if err := beside.Write("../../docs/BENCHMARKS.md", Target, report); err != nil {
		t.Error(err)
	}
}
