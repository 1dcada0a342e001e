//go:build unix

package terminal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// drain is how long output may still come after the program has ended, from what it left running.
const drain = 250 * time.Millisecond

// unixPTY is a program on a pseudo-terminal, which is its controlling terminal; it leads a session and a process group of its own.
type unixPTY struct {
	file    *os.File
	command *exec.Cmd
	over    atomic.Bool // the program has ended: its number may be that of another one
}

func supported() error { return nil }

func start(p program, cols, rows int) (pseudo, error) {
	cmd := &exec.Cmd{Path: p.path, Args: p.args, Env: p.env, Dir: p.dir}
	if path, err := exec.LookPath(p.path); err == nil {
		cmd.Path = path
	}
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)})
	switch {
	case errors.Is(err, pty.ErrUnsupported):
		return nil, fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	case err != nil:
		return nil, err
	}
	polled, err := poll(file)
	if err != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		return nil, errors.Join(err, cmd.Wait())
	}
	return &unixPTY{file: polled, command: cmd}, nil
}

// poll makes a file with deadlines of one that blocks, which is closed.
func poll(file *os.File) (*os.File, error) {
	defer file.Close()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

// Read implements pseudo.
func (p *unixPTY) Read(b []byte) (int, error) {
	if p.over.Load() {
		if err := p.file.SetReadDeadline(time.Now().Add(drain)); err != nil {
			return 0, err
		}
	}
	return p.file.Read(b)
}

// Finish implements pseudo: a Read that waits at this moment waits no longer than one that comes later.
func (p *unixPTY) Finish() {
	p.over.Store(true)
	_ = p.file.SetReadDeadline(time.Now().Add(drain)) // it cannot fail: the file is open
}

// Write implements pseudo.
func (p *unixPTY) Write(b []byte) (int, error) { return p.file.Write(b) }

// Interrupt implements pseudo.
func (p *unixPTY) Interrupt(on bool) {
	var at time.Time
	if on {
		at = time.Unix(1, 0)
	}
	_ = p.file.SetWriteDeadline(at) // fails if the terminal is closed, when there is nothing to interrupt
}

// Resize implements pseudo. That of the pty package would have reads and writes block.
func (p *unixPTY) Resize(cols, rows int) error {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(cols), Row: uint16(rows)})
	})
	return errors.Join(err, failed)
}

// Wait implements pseudo.
func (p *unixPTY) Wait() int {
	_ = p.command.Wait() // what it says is in the state
	p.over.Store(true)
	status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.command.ProcessState.ExitCode()
}

// HangUp implements pseudo: as the system does when a line is cut. A shell passes it on to its jobs.
func (p *unixPTY) HangUp() {
	p.signal(syscall.SIGHUP)
	p.signal(syscall.SIGCONT) // one that is stopped cannot end
}

// Kill implements pseudo.
func (p *unixPTY) Kill() { p.signal(syscall.SIGKILL) }

// signal reaches the program's process group.
func (p *unixPTY) signal(s syscall.Signal) {
	if !p.over.Load() {
		_ = syscall.Kill(-p.command.Process.Pid, s) // it may have ended in this moment
	}
}

// Close implements pseudo. What still has the terminal open is hung up by the system.
func (p *unixPTY) Close() { _ = p.file.Close() }
