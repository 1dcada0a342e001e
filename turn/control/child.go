package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"signalbox/internal/telemetry"
)

// Times of a child.
const (
	childEnds      = 3 * time.Second // after its control connection was closed; then it is killed
	connectTimeout = 5 * time.Second // for a connection to the TURN process, on this host or another
)

// childWay leads to a child, which each connect starts.
type childWay struct {
	settings Settings
	sockets  *Sockets
	program  []string // with its arguments; empty: this program with its command turn
	log      *zap.Logger
}

// connect implements way: it starts a child and hands it settings and sockets.
func (w *childWay) connect(ctx context.Context) (net.Conn, func(), error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, nil, fmt.Errorf("make a control connection: %w", err)
	}
	cmd, err := w.command(theirs)
	if err != nil {
		return nil, nil, errors.Join(err, ours.Close(), theirs.Close())
	}
	life, err := startLife(cmd)
	_ = theirs.Close() // the child has its own
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start the TURN process: %w", err), ours.Close())
	}
	w.log.Info("the TURN process was started", telemetry.Process(cmd.Process.Pid))
	end := func() { w.end(life) }
	if err := w.settle(ctx, ours); err != nil {
		err = errors.Join(fmt.Errorf("hand settings to the TURN process: %w", err), ours.Close())
		end()
		return nil, nil, err
	}
	return ours, end, nil
}

func (w *childWay) command(control *os.File) (*exec.Cmd, error) {
	program := w.program
	if len(program) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		program = []string{self, "turn", "--" + SupervisedFlag}
	}
	cmd := exec.Command(program[0], program[1:]...) // its end is that of its control connection, see end
	cmd.Env = childEnvironment(os.Environ())
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = append([]*os.File{control}, w.sockets.files...)
	cmd.SysProcAttr = boundToUs()
	return cmd, nil
}

// childEnvironment leaves a child what the Go runtime reads, and no secrets.
func childEnvironment(all []string) (some []string) {
	for _, v := range all {
		if strings.HasPrefix(v, "GO") || strings.HasPrefix(v, "TZ=") || strings.HasPrefix(v, "TMPDIR=") {
			some = append(some, v)
		}
	}
	return some
}

// settle sends the settings and waits until they are taken.
func (w *childWay) settle(ctx context.Context, c net.Conn) error {
	unwatch := context.AfterFunc(ctx, func() { _ = c.Close() }) // so that the wait below ends
	defer unwatch()
	line, err := appendMessage(nil, message{Do: doSettings, Settings: &w.settings})
	if err == nil {
		err = c.SetDeadline(time.Now().Add(startTimeout))
	}
	if err == nil {
		_, err = c.Write(line)
	}
	if err != nil {
		return err
	}
	answer, err := readMessage(bufio.NewReader(c)) // nothing comes behind it without being asked for
	switch {
	case err != nil:
		return err
	case answer.Do != "" || answer.Error != "":
		return errMessage
	}
	return c.SetDeadline(time.Time{})
}

// end waits until the child has ended, whose control connection is closed, and kills it if it does not.
func (w *childWay) end(l *life) {
	grace := time.NewTimer(childEnds)
	defer grace.Stop()
	select {
	case <-l.ended:
	case <-grace.C:
		_ = l.cmd.Process.Kill() // fails only if it has just ended
		<-l.ended
	}
	w.log.Info("the TURN process has ended", telemetry.Process(l.cmd.Process.Pid), telemetry.Detail(l.cmd.ProcessState.String()))
}

// stream implements way.
func (w *childWay) stream(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout}
	return d.DialContext(ctx, "unix", w.sockets.streams)
}

// close implements way.
func (w *childWay) close() error { return w.sockets.Close() }

// life is a started process.
type life struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has been waited for
}

// startLife starts a process. The thread that does stays until the process has ended: Linux takes its end for that of the parent.
func startLife(cmd *exec.Cmd) (*life, error) {
	l := &life{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() { // ends with the process, waited for by ended
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(l.ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its state says it all
		}
	}()
	return l, <-started
}

// socketPair returns the two ends of a control connection.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	syscall.ForkLock.RLock() // no other program is started before the ends are ours alone
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "control")
	if ours, err = connOf(os.NewFile(uintptr(fds[0]), "control")); err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}
