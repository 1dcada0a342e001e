package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signalbox/internal/bench"
)

// TestBench measures a server of its own with few endpoints: every push that was accepted arrives, and what the server says is what the endpoints saw.
func TestBench(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), program("signalbox"), "bench", "--endpoints", "20", "--profiles", "steady=80,flaky=10,slow=10", "--duration", "2s",
		"--push-rate", "40", "--callers", "4", "-o", "json")
	tmp := t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tmp, "TMPDIR=" + tmp}
	var progress strings.Builder
	cmd.Stderr = &progress
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, progress.String())
	}
	var r bench.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if r.Logins == nil || r.Logins.Count != 20 || r.Logins.Failed != 0 || r.Logins.ServerCPUMillisEach <= 0 {
		t.Errorf("logins = %+v", r.Logins)
	}
	if r.Idle == nil || r.Idle.Sessions != 20 || r.Idle.ServerMemoryBytes == 0 {
		t.Errorf("idle = %+v", r.Idle)
	}
	if p := r.Pushes; p == nil || p.Accepted < 20 || len(p.Refused) > 0 || p.NotArrived[bench.Steady]+p.NotArrived[bench.Slow] > 0 || p.Accept.P50 <= 0 || p.Arrive.P50 <= 0 {
		t.Errorf("pushes = %+v", r.Pushes)
	}
	if r.Truth == nil || r.Truth.Checked == 0 || r.Truth.Wrong != 0 {
		t.Errorf("truth = %+v", r.Truth)
	}
	if r.Burst == nil || r.Burst.Accepted == 0 || r.Burst.Failed > 0 {
		t.Errorf("burst = %+v", r.Burst)
	}
	if r.Storm == nil || r.Storm.Back != 20 || r.Storm.Resumed == 0 {
		t.Errorf("storm = %+v", r.Storm)
	}
	if left, err := filepath.Glob(filepath.Join(tmp, "*")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

// TestBenchIsInterrupted: it tidies up behind itself.
func TestBenchIsInterrupted(t *testing.T) {
	tmp := t.TempDir()
	p := start(t, []string{"TMPDIR=" + tmp}, "signalbox", "bench", "--endpoints", "5", "--duration", "10m")
	if !eventually(func() bool { return strings.Contains(p.said(), "pushing") }) {
		t.Fatal("it does not get to its pushes")
	}
	if err := p.end(t, syscall.SIGINT); err == nil {
		t.Error("it ends as if it had measured all")
	}
	if left, err := filepath.Glob(filepath.Join(tmp, "*")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}
