package client

import (
	"context"
	"errors"
	"io"

	"signalbox/internal/channel"
)

// Terminal is a terminal on a channel of channel.Terminal. Copy is called by one goroutine; everything else may be called at any time.
type Terminal struct {
	conn   channel.Conn
	opened channel.TerminalOpened
}

// Terminals lists the terminals of the session on a channel that is used for nothing else before.
func Terminals(ctx context.Context, conn channel.Conn) ([]channel.TerminalState, error) {
	answer, err := exchange(ctx, conn, channel.TerminalRequest{List: &channel.Nothing{}})
	if err != nil {
		return nil, err
	}
	return answer.Terminals, nil
}

// OpenTerminal opens a terminal, or attaches to one. A refusal is an *channel.Error.
func OpenTerminal(ctx context.Context, conn channel.Conn, open channel.TerminalOpen) (*Terminal, error) {
	answer, err := exchange(ctx, conn, channel.TerminalRequest{Open: &open})
	if err != nil {
		return nil, err
	}
	if answer.Opened == nil {
		return nil, channel.Refuse(channel.CodeInvalid, "the endpoint has not opened a terminal")
	}
	return &Terminal{conn: conn, opened: *answer.Opened}, nil
}

// exchange sends a request and waits for its answer.
func exchange(ctx context.Context, conn channel.Conn, request channel.TerminalRequest) (channel.TerminalAnswer, error) {
	if err := send(ctx, conn, request); err != nil {
		return channel.TerminalAnswer{}, err
	}
	m, err := conn.Receive(ctx)
	switch {
	case errors.Is(err, io.EOF):
		return channel.TerminalAnswer{}, errEnded
	case err != nil:
		return channel.TerminalAnswer{}, err
	case !m.Text:
		return channel.TerminalAnswer{}, channel.Refuse(channel.CodeInvalid, "output before a terminal was opened")
	}
	answer, err := channel.DecodeTerminalAnswer(m.Data)
	if err == nil {
		err = refused(answer.Error)
	}
	return answer, err
}

// Opened says which terminal it is and where its output begins.
func (t *Terminal) Opened() channel.TerminalOpened { return t.opened }

// Copy writes the output to w until the program ends, and returns its exit status. seen is where to attach again after an error: how many bytes of output w has got, counted
// from the terminal's first.
func (t *Terminal) Copy(ctx context.Context, w io.Writer) (status int, seen int64, err error) {
	seen = t.opened.From
	for {
		m, err := t.conn.Receive(ctx)
		if errors.Is(err, io.EOF) {
			err = errEnded
		}
		if err != nil {
			return 0, seen, err
		}
		if !m.Text {
			n, err := w.Write(m.Data)
			if seen += int64(n); err != nil {
				return 0, seen, err
			}
			continue
		}
		answer, err := channel.DecodeTerminalAnswer(m.Data)
		switch {
		case err != nil:
			return 0, seen, err
		case answer.Error != nil:
			return 0, seen, answer.Error
		case answer.Exit != nil:
			return answer.Exit.Status, seen, nil
		}
	}
}

// Type sends what is typed.
func (t *Terminal) Type(ctx context.Context, text []byte) error {
	for len(text) > 0 {
		n := min(len(text), channel.MaxMessage)
		if err := t.conn.Send(ctx, channel.Message{Data: text[:n]}); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// Resize says how large the window is.
func (t *Terminal) Resize(ctx context.Context, cols, rows int) error {
	return send(ctx, t.conn, channel.TerminalRequest{Resize: &channel.TerminalSize{Cols: cols, Rows: rows}})
}

// End hangs up: the shell is ended, and Copy returns its status. Close leaves it running.
func (t *Terminal) End(ctx context.Context) error {
	return send(ctx, t.conn, channel.TerminalRequest{End: &channel.Nothing{}})
}

// Close closes the channel; the terminal goes on and can be attached to again.
func (t *Terminal) Close() error { return t.conn.Close() }
