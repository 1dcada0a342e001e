package agent

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"time"
)

// Bounds of a handler's program.
const (
	maxStdout = maxResultBytes // what is printed beyond is thrown away
	maxStderr = 4 << 10
	// pipeDelay is how long a program's own children may keep its output open after it ended.
	pipeDelay = 2 * time.Second
)

// Environment variables that a handler's program gets.
const (
	envPushID   = "SIGNALBOX_PUSH_ID"
	envPushType = "SIGNALBOX_PUSH_TYPE"
)

// command is a handler that runs a program: payload on standard input, answer on standard output, status 0 for success.
type command Handler

// run starts the program and waits for its end. A program that runs too long is killed together with what it started.
func (c command) run(ctx context.Context, p Push) (Result, bool) {
	cmd := exec.Command(c.Command[0], c.Command[1:]...)
	stdout, stderr := &limitedBuffer{limit: maxStdout}, &limitedBuffer{limit: maxStderr}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(p.Payload), stdout, stderr
	cmd.Env = append(os.Environ(), envPushID+"="+p.ID, envPushType+"="+p.Type)
	cmd.WaitDelay = pipeDelay
	isolate(cmd)
	limit, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if err := cmd.Start(); err != nil {
		return failed(failure{Reason: ReasonCannotStart, Detail: err.Error()}), true
	}
	tree := treeOf(cmd)
	defer tree.release()
	unhook := context.AfterFunc(limit, tree.kill)
	err := cmd.Wait()
	killed := !unhook()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well and left something running
	}
	switch {
	case err == nil:
		return answered(stdout.Bytes(), stdout.truncated), true
	case killed && ctx.Err() != nil:
		return Result{}, false
	case killed:
		return failed(failure{Reason: ReasonTimeout, Stderr: stderr.String(), Detail: "killed after " + c.Timeout.String()}), true
	}
	return exitFailure(err, stderr.String()), true
}

func exitFailure(err error, stderr string) Result {
	f := failure{Reason: ReasonExitStatus, Stderr: stderr}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code := exit.ExitCode()
		f.ExitCode = &code
		if code < 0 {
			f.Detail = exit.String() // names the signal
		}
	} else {
		f.Detail = err.Error()
	}
	return failed(f)
}

// limitedBuffer keeps the first bytes that are written to it and takes the others without keeping them.
type limitedBuffer struct {
	bytes.Buffer
	limit     int
	truncated bool
}

// Write never fails, so that the program does not notice the limit.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	room := b.limit - b.Len()
	if len(p) > room {
		b.truncated = true
	}
	b.Buffer.Write(p[:min(room, len(p))])
	return len(p), nil
}
