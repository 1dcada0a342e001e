package main

import (
	"strings"
	"syscall"
	"testing"
)

// TestSecondSignalDoesNotWait: the first lets sessions close over drain.period, the second does not.
func TestSecondSignalDoesNotWait(t *testing.T) {
	in := install(t)
	if err := in.server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	in.server.end(t, syscall.SIGINT)
	if code := in.server.cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(in.server.said(), "a second signal") {
		t.Errorf("status %d, want 1 and why", code)
	}
}
