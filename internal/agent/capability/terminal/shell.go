package terminal

import (
	"context"
	"errors"
	"sync"
	"time"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
)

const (
	// maxAhead is how much output may wait for a channel that is slower than the program; then the program waits, so that what is typed does not wait behind megabytes.
	maxAhead = 64 << 10
	// chunk is how much output is read and sent at once.
	chunk = 16 << 10
)

// pseudo is a program on a terminal of its own, as the system makes it.
type pseudo interface {
	// Read waits for output. It fails when no process has the terminal open any more, and some time after Finish.
	Read(p []byte) (int, error)
	// Write types; it may wait for a program that does not read until Interrupt is called.
	Write(p []byte) (int, error)
	Resize(cols, rows int) error
	// Wait waits for the program's end, and returns its exit status. It is called once.
	Wait() int
	// Finish is called when the program has ended: Read returns what is left, and then fails.
	Finish()
	// Interrupt has Write fail until it is called with false.
	Interrupt(on bool)
	// HangUp asks the program and what it started to end; Kill ends them.
	HangUp()
	Kill()
	// Close frees the terminal.
	Close()
}

// shell is one terminal of a session.
type shell struct {
	// Set at construction.
	id   string
	name string
	pty  pseudo
	done chan struct{} // closed when the program has ended and its output was read
	room chan struct{} // the watcher has read something; one is enough

	attaching sync.Mutex // held while a channel takes the shell over; taken before typing
	typing    sync.Mutex // held while something is typed; taken before mu

	mu         sync.Mutex
	output     ring
	cols, rows int
	watcher    *watcher // nil: nobody is attached
	status     int      // exit status, once done is closed
}

// watcher is a channel that shows a shell.
type watcher struct {
	more   chan struct{} // there is more, or it has ended; one is enough
	taken  chan struct{} // closed when another channel shows the shell
	cancel func()        // ends the channel

	at int64 // what it was sent of the output; guarded by the shell's mu
}

// newShell starts to read the output of a program.
func newShell(id, name string, pty pseudo, cols, rows int) *shell {
	s := &shell{id: id, name: name, pty: pty, cols: cols, rows: rows, done: make(chan struct{}), room: make(chan struct{}, 1)}
	go s.run()
	return s
}

// run reads the output until the program has ended. Whoever made the shell waits for done.
func (s *shell) run() {
	read := make(chan struct{})
	go func() {
		defer close(read)
		s.read()
	}()
	status := s.pty.Wait()
	s.pty.Finish()
	<-read
	s.pty.Close()
	s.mu.Lock()
	s.status = status
	close(s.done)
	s.tellLocked()
	s.mu.Unlock()
}

// read reads the output into the ring.
func (s *shell) read() {
	buf := make([]byte, chunk)
	for {
		for s.ahead() {
			<-s.room
		}
		n, err := s.pty.Read(buf)
		s.mu.Lock()
		s.output.write(buf[:n])
		s.tellLocked()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// ahead reports whether the watcher has too much before it.
func (s *shell) ahead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watcher != nil && s.output.end-s.watcher.at > maxAhead
}

// tellLocked tells the watcher that there is something.
func (s *shell) tellLocked() {
	if s.watcher != nil {
		poke(s.watcher.more)
	}
}

// poke puts something into a channel with room for one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// attach makes a channel the one that shows the shell, from byte from of its output on. The one that did is told, and ended if it does not end soon. cancel ends the channel.
func (s *shell) attach(from int64, cols, rows int, cancel func()) (*watcher, channel.TerminalOpened) {
	s.attaching.Lock()
	defer s.attaching.Unlock()
	s.pty.Interrupt(true) // what an earlier channel types may wait for a program that does not read
	s.typing.Lock()
	defer s.typing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pty.Interrupt(false)
	if old := s.watcher; old != nil {
		close(old.taken)
		time.AfterFunc(farewell, old.cancel)
	}
	start := s.output.start()
	w := &watcher{more: make(chan struct{}, 1), taken: make(chan struct{}), cancel: cancel, at: min(max(from, start), s.output.end)}
	s.watcher = w
	poke(s.room)
	s.resizeLocked(cols, rows)
	return w, channel.TerminalOpened{Terminal: s.id, From: w.at, Lost: max(0, start-from)}
}

// leave has nothing more be typed by a channel that ends, also if a program does not read.
func (s *shell) leave(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watcher == w {
		s.pty.Interrupt(true)
	}
}

// detach is called when a channel has ended.
func (s *shell) detach(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watcher == w {
		s.watcher = nil
		poke(s.room)
	}
}

// write types what came from a channel, if it is the one that shows the shell. A program that has ended is told by its status.
func (s *shell) write(w *watcher, p []byte) {
	s.typing.Lock()
	defer s.typing.Unlock()
	s.mu.Lock()
	shown := s.watcher == w
	s.mu.Unlock()
	if shown {
		_, _ = s.pty.Write(p)
	}
}

func (s *shell) resize(cols, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resizeLocked(cols, rows)
}

func (s *shell) resizeLocked(cols, rows int) {
	if cols == s.cols && rows == s.rows || s.ended() {
		return
	}
	if s.pty.Resize(cols, rows) == nil { // a terminal that is ending has no size
		s.cols, s.rows = cols, rows
	}
}

// ended reports whether the program has ended and its output was read.
func (s *shell) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// over waits for the end, and reports whether it came within d.
func (s *shell) over(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.done:
		return true
	case <-t.C:
		return false
	}
}

// dismiss ends the channel that shows the shell.
func (s *shell) dismiss() {
	s.mu.Lock()
	w := s.watcher
	s.mu.Unlock()
	if w != nil {
		w.cancel()
	}
}

// Ends of show that are none of the channel.
var (
	errShown = errors.New("all of a terminal was sent, its end included")
	errTaken = channel.Refuse(channel.CodeChanged, "the terminal is shown by another channel now")
)

// show sends output until the program has ended and its status was sent, or another channel shows it.
func (s *shell) show(ctx context.Context, c channel.Conn, w *watcher) error {
	buf := make([]byte, 2*chunk)
	for {
		s.mu.Lock()
		ended := s.ended()
		n := s.output.read(w.at, buf)
		s.mu.Unlock()
		switch {
		case n > 0:
			if err := c.Send(ctx, channel.Message{Data: buf[:n]}); err != nil {
				return err
			}
			s.mu.Lock()
			w.at += int64(n)
			s.mu.Unlock()
			poke(s.room)
		case ended:
			if err := capability.Send(ctx, c, channel.TerminalAnswer{Exit: &channel.TerminalExit{Status: s.status}}); err != nil {
				return err
			}
			return errShown
		default:
			select {
			case <-w.more:
			case <-w.taken:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		select {
		case <-w.taken:
			_ = capability.Send(ctx, c, channel.TerminalAnswer{Error: errTaken}) // to whom is still there
			return errTaken
		default:
		}
	}
}

// state is the shell in a list.
func (s *shell) state() channel.TerminalState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return channel.TerminalState{Terminal: s.id, Cols: s.cols, Rows: s.rows, Command: s.name, Attached: s.watcher != nil, Ended: s.ended()}
}
