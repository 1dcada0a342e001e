package sessionbench

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signalbox/tests/beside"
	"signalbox/tests/page"
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
	clicks := t
	if why := page.Missing("clicks in a browser"); why != "" {
		t.Log(why)
		clicks = nil
	}
	return Options{
		Clicks: clicks, Dir: dir, Files: files, Signalbox: filepath.Join(dir, "signalbox"), Agent: filepath.Join(dir, "signalbox-agent"), Load: filepath.Join(dir, "load"), Scale: scale, Log: t.Logf,
	}
}

// TestSmoke runs every measurement once, so that the tool does not rot. It holds no figure against a bound.
func TestSmoke(t *testing.T) {
	o := options(t, Smoke())
	results, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if o.Clicks == nil && strings.HasPrefix(r.key, "click/") {
			continue
		}
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
	for _, line := range Missed(results) {
		t.Log(line)
	}
}

// TestMissed: a must is missed by its median alone, in the direction in which it is meant.
func TestMissed(t *testing.T) {
	var r beside.Results
	for key, values := range map[string][]float64{"click/direct": {290, 310, 1400}, "click/turn": {200, 490, 2000}, "terminal/relay": {9000}, "upload": {199}, "download": {201}} {
		for _, v := range values {
			r.Add(Ours, key, v)
		}
	}
	want := []string{"MUST MISSED: click/direct: 310 ms, must be 300 ms", "MUST MISSED: upload: 199 MB/s, must be 200 MB/s"}
	if got := Missed(&r); !slices.Equal(got, want) {
		t.Errorf("Missed = %q, want %q", got, want)
	}
}
