package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/channel"
	channels "signalbox/internal/channel/client"
	"signalbox/internal/viewer"
)

const (
	sizeEach = 250 * time.Millisecond // how often the size of the window is looked at
	hangUp   = byte(4)                // what a terminal takes for the end of what is typed
)

// errLeft is the end of a terminal that the technician leaves.
var errLeft = errors.New("left")

// shown is a terminal of the endpoint on the technician's own.
type shown struct {
	v    *viewer.Viewer
	out  io.Writer
	size func() (cols, rows int)
	now  atomic.Pointer[channels.Terminal] // nil: none is attached
	back chan struct{}                     // gets something when one is
}

// terminal opens a terminal and shows it until its program ends, with whose status the command ends.
func (a *sessionAttach) terminal(ctx context.Context, v *viewer.Viewer, c *cobra.Command, _ []string) error {
	s := &shown{v: v, out: c.OutOrStdout(), size: func() (int, int) { return 80, 24 }, back: make(chan struct{}, 1)}
	own, interactive := c.InOrStdin().(*os.File)
	if interactive {
		var restore func()
		if restore, interactive = rawTerminal(own); interactive {
			defer restore()
			s.size = func() (int, int) { return terminalSize(own) }
		}
	}
	ctx, stop := context.WithCancelCause(ctx)
	var sizes sync.WaitGroup
	defer sizes.Wait()
	defer stop(nil)
	go func() { stop(s.typed(ctx, c.InOrStdin(), interactive)) }() // its last read ends with the program
	sizes.Go(func() { s.resized(ctx) })
	status, err := s.show(ctx)
	switch {
	case errors.Is(context.Cause(ctx), errLeft):
		return nil
	case err == nil && status != 0:
		return marked(status, fmt.Errorf("the program on the endpoint ended with status %d", status))
	}
	return err
}

// show shows the terminal, and attaches to it again after a loss of the way.
func (s *shown) show(ctx context.Context) (status int, err error) {
	var id string
	var seen int64
	for {
		conn, err := s.v.Open(ctx, channel.Terminal)
		if err != nil {
			return 0, err
		}
		cols, rows := s.size()
		t, err := channels.OpenTerminal(ctx, conn, channel.TerminalOpen{Cols: cols, Rows: rows, Terminal: id, From: seen})
		if err == nil {
			id = t.Opened().Terminal
			s.now.Store(t)
			select {
			case s.back <- struct{}{}:
			default:
			}
			status, seen, err = t.Copy(ctx, s.out)
			s.now.Store(nil)
		}
		_ = conn.Close() // the error counts
		var refusal *channel.Error
		if err == nil || ctx.Err() != nil || errors.As(err, &refusal) {
			return status, err
		}
	}
}

// typed sends what is typed, until the technician leaves. The end of an input that is no terminal is typed, too.
func (s *shown) typed(ctx context.Context, in io.Reader, interactive bool) error {
	keys := escapes{fresh: true}
	buf := make([]byte, 4<<10)
	for {
		n, err := in.Read(buf)
		text, left := buf[:n], false
		if interactive {
			text, left = keys.take(text)
		}
		if err != nil && !interactive {
			text = append(text[:len(text):len(text)], hangUp)
		}
		if len(text) > 0 {
			s.send(ctx, text)
		}
		switch {
		case left, err != nil && interactive:
			return errLeft
		case err != nil:
			<-ctx.Done() // what was typed is worked on
			return nil
		}
	}
}

// send types on the terminal that is attached, or once one is.
func (s *shown) send(ctx context.Context, text []byte) {
	for ctx.Err() == nil {
		if t := s.now.Load(); t != nil && t.Type(ctx, text) == nil {
			return
		}
		select {
		case <-s.back:
		case <-ctx.Done():
		}
	}
}

// resized tells the endpoint of the size of the window.
func (s *shown) resized(ctx context.Context) {
	look := time.NewTicker(sizeEach)
	defer look.Stop()
	cols, rows := s.size()
	for {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		c, r := s.size()
		if t := s.now.Load(); t != nil && (c != cols || r != rows) && t.Resize(ctx, c, r) == nil {
			cols, rows = c, r
		}
	}
}

// escapes finds ~. and ~~ at the beginning of a line, as secure shells have it.
type escapes struct {
	fresh bool // nothing stands in the line yet
	tilde bool // but a ~ that is held back
}

// take returns what is to be sent, and whether the technician leaves.
func (e *escapes) take(typed []byte) (send []byte, left bool) {
	var out bytes.Buffer
	for _, c := range typed {
		switch {
		case e.tilde && c == '.':
			return out.Bytes(), true
		case e.tilde && c == '~':
			e.tilde = false
			out.WriteByte('~')
			continue
		case e.tilde:
			e.tilde = false
			out.WriteByte('~')
		case e.fresh && c == '~':
			e.tilde, e.fresh = true, false
			continue
		}
		e.fresh = c == '\r' || c == '\n'
		out.WriteByte(c)
	}
	return out.Bytes(), false
}
