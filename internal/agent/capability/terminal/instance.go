package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/telemetry"
)

const (
	// grace is how long a program that was hung up may take to end before it is killed.
	grace = time.Second
	// patience is how long a killed program may take to be gone: longer, and it hangs in the system.
	patience = 5 * time.Second
	// farewell is how long a channel whose terminal was taken over may take to be told so.
	farewell = time.Second
)

// instance holds the terminals of one session.
type instance struct {
	session capability.Session
	command []string
	ending  sync.WaitGroup // of shells that were hung up

	mu     sync.Mutex
	shells []*shell // in the order of their ids
	last   int      // number of the youngest
	closed bool
}

// Serve implements capability.Instance: lists until a terminal is opened, then that.
func (i *instance) Serve(ctx context.Context, c channel.Conn) error {
	defer c.Close()
	if !i.session.Has(channel.Terminal) {
		return capability.Malformed(ctx, c, i.session.Refuse(channel.Terminal))
	}
	for {
		m, err := c.Receive(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r, err := request(m)
		switch {
		case err != nil:
			return capability.Malformed(ctx, c, err)
		case r.Open != nil:
			return i.open(ctx, c, *r.Open)
		case r.List == nil:
			return capability.Malformed(ctx, c, channel.Refuse(channel.CodeInvalid, "no terminal was opened on this channel"))
		}
		if err := i.list(ctx, c); err != nil {
			return err
		}
	}
}

// request reads a message that is none of typed text.
func request(m channel.Message) (channel.TerminalRequest, error) {
	if !m.Text {
		return channel.TerminalRequest{}, channel.Refuse(channel.CodeInvalid, "no terminal was opened on this channel")
	}
	return channel.DecodeTerminalRequest(m.Data)
}

func (i *instance) list(ctx context.Context, c channel.Conn) error {
	i.mu.Lock()
	states := make([]channel.TerminalState, len(i.shells))
	for n, s := range i.shells {
		states[n] = s.state()
	}
	i.mu.Unlock()
	return capability.Send(ctx, c, channel.TerminalAnswer{Terminals: states})
}

// open serves a channel that shows a terminal.
func (i *instance) open(ctx context.Context, c channel.Conn, o channel.TerminalOpen) error {
	s, err := i.find(o)
	if err != nil {
		return capability.Send(ctx, c, channel.TerminalAnswer{Error: capability.Refusal(err)})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, opened := s.attach(o.From, o.Cols, o.Rows, cancel)
	defer s.detach(w)
	if err := capability.Send(ctx, c, channel.TerminalAnswer{Opened: &opened}); err != nil {
		return err
	}
	return i.show(ctx, cancel, c, s, w)
}

// show sends the output of a terminal and types what comes, until the channel or the terminal ends, or another channel shows it.
func (i *instance) show(ctx context.Context, cancel context.CancelFunc, c channel.Conn, s *shell, w *watcher) error {
	var work sync.WaitGroup
	var over bool // all was said on this channel
	work.Go(func() {
		defer cancel()
		err := s.show(ctx, c, w)
		if errors.Is(err, errShown) {
			i.forget(s)
		}
		if over = errors.Is(err, errShown) || errors.Is(err, errTaken); over {
			_ = c.Close() // and listen ends by that: ctx would not let the last message through on every way
		}
	})
	work.Go(func() {
		<-ctx.Done()
		s.leave(w)
	})
	err := i.listen(ctx, c, s, w)
	cancel()
	work.Wait()
	if over {
		return nil
	}
	return err
}

// listen does what comes from the technician, until the channel ends.
func (i *instance) listen(ctx context.Context, c channel.Conn, s *shell, w *watcher) error {
	may := i.session.May(channel.MayType)
	for {
		m, err := c.Receive(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case m.Text:
			if err := i.message(ctx, c, s, m.Data); err != nil {
				return err
			}
		case may: // else it is dropped: viewers answer questions of programs by themselves
			s.write(w, m.Data)
		}
	}
}

func (i *instance) message(ctx context.Context, c channel.Conn, s *shell, data []byte) error {
	r, err := channel.DecodeTerminalRequest(data)
	switch {
	case err != nil:
		return capability.Malformed(ctx, c, err)
	case r.Open != nil:
		return capability.Malformed(ctx, c, channel.Refuse(channel.CodeInvalid, "a terminal was opened on this channel already"))
	case r.List != nil:
		return i.list(ctx, c)
	case r.Resize != nil:
		s.resize(r.Resize.Cols, r.Resize.Rows)
	case i.session.May(channel.MayType):
		i.hangUp(s)
	}
	return nil
}

// hangUp begins to end a terminal, unless the session ends them all.
func (i *instance) hangUp(s *shell) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.closed {
		i.ending.Go(func() { i.end(s) })
	}
}

// find returns the terminal that is to be shown, which is made if it is to be a new one.
func (i *instance) find(o channel.TerminalOpen) (*shell, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil, channel.Refuse(channel.CodeFailed, "the session has ended")
	}
	if o.Terminal != "" {
		for _, s := range i.shells {
			if s.id == o.Terminal {
				return s, nil
			}
		}
		return nil, channel.Refuse(channel.CodeNotFound, "there is no terminal %q in this session", o.Terminal)
	}
	return i.startLocked(o.Cols, o.Rows)
}

func (i *instance) startLocked(cols, rows int) (*shell, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	if !i.session.May(channel.MayType) {
		return nil, i.session.Refuse(channel.MayType)
	}
	if len(i.shells) >= channel.MaxTerminals && !i.dropLocked() {
		return nil, channel.Refuse(channel.CodeTooLarge, "the session has %d terminals already", len(i.shells))
	}
	p := find(i.command)
	pty, err := start(p, cols, rows)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.path, err)
	}
	i.last++
	s := newShell(fmt.Sprintf("t%d", i.last), p.name, pty, cols, rows)
	i.shells = append(i.shells, s)
	i.session.Log.Info("terminal opened", telemetry.Detail(s.id+" runs "+p.path))
	return s, nil
}

// dropLocked makes room by forgetting a terminal that has ended while nobody was attached.
func (i *instance) dropLocked() bool {
	for n, s := range i.shells {
		if st := s.state(); st.Ended && !st.Attached {
			i.shells = append(i.shells[:n], i.shells[n+1:]...)
			return true
		}
	}
	return false
}

// forget removes a terminal whose end was shown.
func (i *instance) forget(which *shell) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, s := range i.shells {
		if s == which {
			i.shells = append(i.shells[:n], i.shells[n+1:]...)
			return
		}
	}
}

// end hangs a terminal up and sees to it that its program ends.
func (i *instance) end(s *shell) {
	s.pty.HangUp()
	if s.over(grace) {
		return
	}
	s.pty.Kill()
	if !s.over(patience) {
		i.session.Log.Warn("a terminal's program does not end", telemetry.Detail(s.id+" runs "+s.name))
	}
}

// Close implements capability.Instance.
func (i *instance) Close() {
	i.mu.Lock()
	i.closed = true
	shells := i.shells
	i.shells = nil
	i.mu.Unlock()
	for _, s := range shells {
		s.dismiss()
		i.ending.Go(func() { i.end(s) })
	}
	i.ending.Wait()
}
