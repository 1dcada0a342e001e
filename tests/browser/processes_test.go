package browser

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
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
	p.sees(".processes", "signalbox-agent")
	p.picture("processes")
	p.run(chromedp.Focus(".panel-processes input"), keys("3600.4711"))
	p.sees(".processes .col-pid", fmt.Sprint(sleeper.Process.Pid))
	p.click(".processes tbody tr button", "End")
	p.picture("kill")
	p.click("dialog button", "Kill at once")
	p.sees(".notice", "was told to end")
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v, want it killed", err)
	}
	p.sees(".count", "0 of")
}
