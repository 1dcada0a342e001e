package peers

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

// process is a program that runs until stop.
type process struct {
	cmd   *exec.Cmd
	log   string // file with what it wrote
	ended chan error
}

// start runs a command in its own process group, with its output in a file of dir.
func start(cmd *exec.Cmd, dir string) (*process, error) {
	p := &process{cmd: cmd, log: filepath.Join(dir, "output.log"), ended: make(chan error, 1)}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Dir, cmd.Stderr = dir, out
	if cmd.Stdout == nil {
		cmd.Stdout = out
	}
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() { p.ended <- cmd.Wait() }() // stop takes it
	return p, nil
}

// stop ends the process group and waits for it.
func (p *process) stop() {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = syscall.Kill(-p.cmd.Process.Pid, s) // it may have ended
		select {
		case <-p.ended:
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // what it left behind
			return
		case <-time.After(20 * time.Second):
		}
	}
}

// awaitReady waits until ready is true, and fails when the process ends before.
func (p *process) awaitReady(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !ready() {
		select {
		case err := <-p.ended:
			p.ended <- err
			return fmt.Errorf("%s ended (%v): %s", p.cmd.Path, err, p.said())
		default:
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%s is not ready: %w: %s", p.cmd.Path, err, p.said())
		}
	}
	return nil
}

func (p *process) said() []byte {
	text, _ := os.ReadFile(p.log)
	return text[max(0, len(text)-2000):]
}

func (p *process) wrote(mark string) bool {
	text, _ := os.ReadFile(p.log)
	return bytes.Contains(text, []byte(mark))
}

func answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// freePort returns a port of loopback that nobody uses now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// raiseLimit lets this process and its children open as many files as they may.
func raiseLimit() error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	l.Cur = l.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}
