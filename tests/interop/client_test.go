package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// client is an XMPP client that others wrote, with what the driver must know of it.
type client struct {
	name    string            // its column in the table
	origin  string            // the package it comes from, for the document
	version func() string     // of that package; empty if the client is not installed
	run     runner            // one run of it
	lacks   map[string]string // features that it does not have, and why: these are not tried
}

// runner runs the client once and returns the lines that it printed.
type runner func(t *testing.T, s *stage, j job) []line

// job is one run of a client.
type job struct {
	transport string // direct, starttls or websocket
	mechanism string // empty leaves the choice to the client
	steps     []string
	secret    string
	ca        string // file that the server's certificate is held against
}

// line is what a client's program prints for each step that it was told to take.
type line struct {
	Step   string `json:"step"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// runTime is how long one run may take. Programs bound each of their steps, so only one that hangs needs it.
const runTime = 3 * time.Minute

// program runs a command of the client's own program, which takes the job from its environment. The program gets a process group of its own, and none of it is
// left when this returns.
func program(command ...string) runner {
	return func(t *testing.T, s *stage, j job) (lines []line) {
		t.Helper()
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(cmd.Environ(), s.environment(t, j)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		end := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		late := time.AfterFunc(runTime, end)
		defer late.Stop()
		in := bufio.NewScanner(stdout)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var l line
			if err := json.Unmarshal(in.Bytes(), &l); err != nil || l.Step == "" {
				t.Errorf("%s printed %q, which is no step", command, in.Text())
				continue
			}
			t.Logf("%s %s: %s %v %s", j.transport, j.mechanism, l.Step, l.OK, l.Detail)
			lines = append(lines, l)
		}
		err = cmd.Wait()
		end()
		if err != nil || len(lines) == 0 {
			t.Errorf("%s on %s with %q: %v\n%s", command, j.transport, j.steps, err, stderr.Bytes())
		}
		return lines
	}
}

// find returns what a step came to; one that the client did not come to is no.
func find(lines []line, step string) line {
	for _, l := range lines {
		if l.Step == step {
			return l
		}
	}
	return line{Step: step, Detail: "it did not come to this"}
}

// debian returns the version of a Debian package, empty if it is not installed.
func debian(name string) func() string {
	return func() string {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", name).Output()
		version, ok := strings.CutPrefix(string(out), "installed ")
		if err != nil || !ok {
			return ""
		}
		return version
	}
}

// Reasons that several clients share.
const (
	noWebSocket = "it has no WebSocket"
	noTCP       = "it has WebSocket alone"
	noSASL2     = "it has no SASL2"
	noMechanism = "it does not have the mechanism"
)
