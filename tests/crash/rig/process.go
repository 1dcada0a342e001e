package rig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Process is a program that we started. It ends with us, however we end.
type Process struct {
	name  string
	log   string // path of the file with what it says
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // why it ended, once ended is closed
}

// Start starts a program, whose output is appended to the file log. env adds to an environment that holds nothing of ours.
func Start(name, log string, env []string, program string, args ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of the %s: %w", name, err)
	}
	p := &Process{name: name, log: log, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.SysProcAttr = boundToUs()
	started := make(chan error, 1)
	go p.run(out, started) // ends with the program, which Kill or Stop waits for
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	return p, nil
}

// run starts the program and waits for its end on one thread: Linux ends it when the thread that started it ends.
func (p *Process) run(out *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	defer out.Close()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	if p.err = p.cmd.Wait(); p.err == nil {
		p.err = fmt.Errorf("exit status 0")
	}
}

// PID returns the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the program has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Alive returns an error with the program's last words if it has ended.
func (p *Process) Alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("the %s ended by itself: %w\n%s", p.name, p.err, p.Tail())
	default:
		return nil
	}
}

// Kill ends the program with SIGKILL and returns when it is gone. An error says that it was gone before.
func (p *Process) Kill() error {
	if err := p.Alive(); err != nil {
		return err
	}
	_ = p.cmd.Process.Kill() // fails only if the program ended by itself just now, which the status tells
	<-p.ended
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		return fmt.Errorf("the %s ended by itself: %w\n%s", p.name, p.err, p.Tail())
	}
	return nil
}

// Stop asks the program to end, makes it end after the grace, and returns when it is gone. Anything but status 0 is an error.
func (p *Process) Stop(grace time.Duration) error {
	if err := p.Alive(); err != nil {
		return err
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("the %s did not stop well within %v: %w\n%s", p.name, grace, p.err, p.Tail())
	}
	return nil
}

// End kills the program if it runs, for cleaning up.
func (p *Process) End() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// tailLines is how much of a log is shown.
const tailLines = 25

// Tail returns the end of what the program said.
func (p *Process) Tail() string { return Tail(p.log) }

// Tail returns the last lines of a file.
func Tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	return "--- the last lines of " + path + "\n" + strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
