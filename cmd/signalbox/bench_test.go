package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"signalbox/internal/bench"
)

// TestBench measures a server of its own with few endpoints of each profile: every push that was accepted arrives where somebody reads, and what the server says is what
// the endpoints saw.
func TestBench(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), program("signalbox"), "bench", "--endpoints", "20", "--profiles", "steady=40,flaky=20,half-open=20,slow=20", "--duration", "2s",
		"--push-rate", "40", "--callers", "2", "-o", "json") // callers too few to fill the queues of those that read no more
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
	if r.Method == "" {
		t.Error("the report does not say how it was measured")
	}
	if r.Logins == nil || r.Logins.Count != 20 || r.Logins.Failed != 0 || r.Logins.ServerCPUMillisEach <= 0 {
		t.Errorf("logins = %+v", r.Logins)
	}
	if r.Idle == nil || r.Idle.Sessions != 20 || r.Idle.ServerMemoryBytes == 0 {
		t.Errorf("idle = %+v", r.Idle)
	}
	if p := r.Pushes; p == nil || p.Accepted < 20 || len(p.Refused) > 0 || p.NotArrived[bench.Steady]+p.NotArrived[bench.Slow] > 0 || p.Accept.P50 <= 0 || p.Arrive.P50 <= 0 {
		t.Errorf("pushes = %+v", r.Pushes)
	} else if p.NotArrived[bench.HalfOpen] == 0 { // they fell silent before the first one
		t.Errorf("every push arrived at endpoints that read no more: %+v", p)
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

// TestBenchForPeople: each phase has its line, and what was measured how stands below.
func TestBenchForPeople(t *testing.T) {
	text := must(t, []string{"TMPDIR=" + t.TempDir()}, "signalbox", "bench", "--endpoints", "20", "--profiles", "steady=80,half-open=20", "--duration", "1s",
		"--push-rate", "60", "--callers", "2")
	for _, want := range []string{
		`load on +\S+/\S+, \d+ cores, [\d.]+ [MG]iB`,
		`server +\S.*`,
		`endpoints +20: 80 % steady, 20 % half-open`,
		`logins +20, 0 failed, \d+ per second; p50 [\d.]+ ms, p99 [\d.]+ ms, most [\d.]+ ms; [\d.]+ ms of the server's CPU each`,
		`idle +20 sessions, [\d.]+ MiB of memory, .* per session`,
		`pushes +\d+ of 200 bytes in [\d.]+ s, .*`,
		`  accepted +p50 .*`,
		`  arrived +\d+; p50 .*`,
		`  not arrived +\d+ at half-open endpoints`,
		`truth +\d+ pushes checked, 0 not what their endpoints saw`,
		`highest rate +\d+ durable pushes per second from 2 callers, 0 failed`,
		`storm +20 of 20 back after [\d.]+ s, .*`,
		`Endpoints are played by one process: TLS 1.3, .*`,
	} {
		if !regexp.MustCompile("(?m)^" + want + "$").MatchString(text) {
			t.Errorf("no line %q in\n%s", want, text)
		}
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
