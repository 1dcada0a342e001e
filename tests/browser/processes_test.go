package browser

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
)

// TestProcesses: those of the endpoint are listed, and one is ended.
func TestProcesses(t *testing.T) {
	s := newStage(t, nil)
	sleeper := exec.Command("sleep", "3600.4711")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sleeper.Wait() }()
	t.Cleanup(func() { _ = sleeper.Process.Kill() })
	p := browse(t)
	s.connect(p, "processes", "auto")
	p.Sees(".processes", "signalbox-agent")
	p.Picture("processes")
	p.Fill(".panel-processes input", "3600.4711")
	p.Sees(".processes .col-pid", fmt.Sprint(sleeper.Process.Pid))
	p.Click(".processes tbody tr button", "End")
	p.Picture("kill")
	p.Click("dialog button", "Kill at once")
	p.Sees(".notice", "was told to end")
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v, want it killed", err)
	}
	p.Sees(".count", "0 of")
}
