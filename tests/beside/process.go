package beside

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// patience is how long a server may take to start or to stop.
const patience = 2 * time.Minute

// Process is a program that runs until Stop.
type Process struct {
	Cmd   *exec.Cmd
	log   string // file with what it wrote
	ended chan error
}

// Start runs a command in its own process group, with its output in a file of dir. A credential in its attributes is kept.
func Start(cmd *exec.Cmd, dir string) (*Process, error) {
	p := &Process{Cmd: cmd, log: filepath.Join(dir, "output.log"), ended: make(chan error, 1)}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Dir, cmd.Stderr = dir, out
	if cmd.Stdout == nil {
		cmd.Stdout = out
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	ownGroup(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() { p.ended <- cmd.Wait() }() // Stop takes it
	return p, nil
}

// Stop ends the process group and waits for it.
func (p *Process) Stop() {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = syscall.Kill(-p.Cmd.Process.Pid, s) // it may have ended
		select {
		case <-p.ended:
			_ = syscall.Kill(-p.Cmd.Process.Pid, syscall.SIGKILL) // what it left behind
			return
		case <-time.After(20 * time.Second):
		}
	}
}

// AwaitReady waits until ready is true, and fails when the process ends before.
func (p *Process) AwaitReady(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !ready() {
		select {
		case err := <-p.ended:
			p.ended <- err
			return fmt.Errorf("%s ended (%v): %s", p.Cmd.Path, err, p.Said())
		default:
		}
		if err := Pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%s is not ready: %w: %s", p.Cmd.Path, err, p.Said())
		}
	}
	return nil
}

// Said returns the end of what the process wrote.
func (p *Process) Said() []byte {
	text, _ := os.ReadFile(p.log)
	return text[max(0, len(text)-2000):]
}

// Wrote reports whether the process wrote this.
func (p *Process) Wrote(mark string) bool {
	text, _ := os.ReadFile(p.log)
	return bytes.Contains(text, []byte(mark))
}

// Answers reports whether somebody listens at addr.
func Answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// FreePort returns a port of loopback that nobody uses now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// RaiseLimit lets this process and its children open as many files as they may.
func RaiseLimit() error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	l.Cur = l.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}
