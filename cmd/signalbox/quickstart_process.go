package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"signalbox/internal/config"
)

// child is one program that the quickstart started.
type child struct {
	name  string
	log   string // path of the file with what it says
	cmd   *exec.Cmd
	ended chan struct{} // closed when the program has ended
}

// startChild starts a program. Its end, whenever it comes, is told to fail.
func startChild(name, log string, fail context.CancelCauseFunc, program string, args ...string) (*child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of the %s: %w", name, err)
	}
	c := &child{name: name, log: log, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = out, out
	c.cmd.Env = withoutSettings(os.Environ())
	c.cmd.SysProcAttr = boundToUs()
	started := make(chan error, 1)
	go c.run(out, started, fail) // ends with the program, which stop ends and waits for
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	return c, nil
}

// run starts the program and waits for its end on one thread: Linux ends it when the thread that started it ends.
func (c *child) run(out *os.File, started chan<- error, fail context.CancelCauseFunc) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.ended)
	defer out.Close()
	err := c.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	if err = c.cmd.Wait(); err == nil {
		err = errors.New("exit status 0")
	}
	fail(fmt.Errorf("the %s ended: %w", c.name, err))
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop asks the program to end, and makes it end after the grace. It returns when the program is gone.
func (c *child) stop(grace time.Duration) {
	if c == nil {
		return
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // if it is gone, so much the better
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.ended:
		return
	case <-timer.C:
	}
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// tailLines is how much of a log is shown.
const tailLines = 15

// tail prints the end of what the program said.
func (c *child) tail(w io.Writer) {
	if c == nil {
		return
	}
	text, err := os.ReadFile(c.log)
	if err != nil {
		return
	}
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	fmt.Fprintf(w, "--- the last lines of %s\n", c.log)
	for _, line := range lines[max(0, len(lines)-tailLines):] {
		fmt.Fprintln(w, line)
	}
}

// withoutSettings removes from an environment what would configure the server of the quickstart, which has its own configuration.
func withoutSettings(environ []string) []string {
	var kept []string
	for _, e := range environ {
		if name, _, _ := strings.Cut(e, "="); !config.Configures(name) {
			kept = append(kept, e)
		}
	}
	return kept
}
