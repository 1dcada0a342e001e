package processes

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"github.com/shirou/gopsutil/v4/process"

	"signalbox/internal/channel"
)

// kill ends a process if it is still the one that was listed.
func kill(ctx context.Context, k channel.ProcessKill) error {
	if k.PID == os.Getpid() {
		return channel.Refuse(channel.CodeInvalid, "process %d is the agent itself", k.PID)
	}
	p, err := process.NewProcessWithContext(ctx, int32(k.PID))
	if errors.Is(err, process.ErrorProcessNotRunning) {
		return gone(k)
	}
	if err != nil {
		return err
	}
	held, err := os.FindProcess(k.PID) // from here on, where the system has handles for processes, it is no other that is meant
	if err != nil {
		return denied(k, err)
	}
	defer held.Release()
	began, err := p.CreateTimeWithContext(ctx)
	if err != nil {
		return denied(k, err)
	}
	if !started(began).Equal(k.Started) {
		return channel.Refuse(channel.CodeChanged, "process %d is another one by now", k.PID)
	}
	signal := syscall.SIGKILL
	if k.Signal == channel.SignalTerm && runtime.GOOS != "windows" {
		signal = syscall.SIGTERM
	}
	return denied(k, held.Signal(signal))
}

func gone(k channel.ProcessKill) error {
	return channel.Refuse(channel.CodeNotFound, "process %d has ended", k.PID)
}

// denied makes words of an error.
func denied(k channel.ProcessKill, err error) error {
	switch {
	case errors.Is(err, os.ErrProcessDone), errors.Is(err, fs.ErrNotExist), errors.Is(err, process.ErrorProcessNotRunning):
		return gone(k)
	case errors.Is(err, fs.ErrPermission):
		return channel.Refuse(channel.CodeNotPermitted, "the user that the agent runs as may not end process %d", k.PID)
	}
	return err
}
