package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// demo is a quickstart that runs on, and the processes that it named.
type demo struct {
	*process
	dir      string
	children []int
}

var processNumber = regexp.MustCompile(`process (\d+)`)

func startDemo(t *testing.T) demo {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "demo")
	d := demo{process: start(t, nil, "signalbox", "quickstart", "--dir", dir), dir: dir}
	if !eventually(func() bool { return strings.Contains(d.said(), "Ctrl-C ends it") }) {
		t.Fatal("the quickstart does not get to its end")
	}
	for _, m := range processNumber.FindAllStringSubmatch(d.said(), -1) {
		pid, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		d.children = append(d.children, pid)
	}
	if len(d.children) != 2 {
		t.Fatalf("%d processes are named, want the server and the agent", len(d.children))
	}
	return d
}

// runs reports whether a process is there. One that has ended and whose end nobody has taken note of does not run.
func runs(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(status), ") Z ")
}

func (d demo) checkGone(t *testing.T) {
	t.Helper()
	for _, pid := range d.children {
		if !eventually(func() bool { return !runs(pid) }) {
			t.Errorf("process %d outlives the quickstart", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL) // it would outlive the test too
		}
	}
}

func TestQuickstartEndsWithItsPrograms(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			d := startDemo(t)
			if err := d.end(t, s); err != nil {
				t.Errorf("ended with %v, want status 0", err)
			}
			for _, pid := range d.children {
				if runs(pid) {
					t.Errorf("process %d is there after the quickstart has ended", pid)
				}
			}
		})
	}
}

func TestQuickstartIsKilled(t *testing.T) {
	d := startDemo(t)
	d.end(t, syscall.SIGKILL)
	d.checkGone(t)
}

func TestQuickstartNoticesThatAProgramEnds(t *testing.T) {
	for i, name := range []string{"server", "agent"} {
		t.Run(name, func(t *testing.T) {
			d := startDemo(t)
			if err := syscall.Kill(d.children[i], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			<-d.ended
			if d.cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(d.said(), "the "+name+" ended: signal: killed") {
				t.Errorf("status %d, want 1 and the reason", d.cmd.ProcessState.ExitCode())
			}
			d.checkGone(t)
		})
	}
}

func TestQuickstartsDoNotShareAFolder(t *testing.T) {
	d := startDemo(t)
	second := start(t, nil, "signalbox", "quickstart", "--once", "--dir", d.dir)
	<-second.ended
	if second.err == nil || !strings.Contains(second.said(), "another quickstart runs in "+d.dir) {
		t.Errorf("the second ended with %v", second.err)
	}
	if !runs(d.children[0]) || !runs(d.children[1]) {
		t.Error("the second troubled the first")
	}
}

// TestReadyCurlLineWorks types what the quickstart says, with its own client instead of curl.
func TestReadyCurlLineWorks(t *testing.T) {
	d := startDemo(t)
	m := regexp.MustCompile(`curl -H 'Authorization: Bearer (\S+)' -H 'Content-Type: application/json' \\\n    -d '(\{.*\})' (http://\S+)/v1/pushes`).FindStringSubmatch(d.said())
	if m == nil {
		t.Fatal("no curl line")
	}
	out := must(t, nil, "signalbox", "push", "send", demoEndpoint, demoType, "--ack", "handled", "--wait", "20s", "--token", m[1], "--url", m[3])
	if !strings.Contains(out, "handled") || !strings.Contains(m[2], `"to":"`+demoEndpoint+`"`) {
		t.Errorf("push send says %s, the curl line sends %s", out, m[2])
	}
}
