package capability

import (
	"context"
	"errors"
	"io"
	"time"

	"signalbox/internal/channel"
)

// lastWord is how long the other side may take to take the reason why a channel ends.
const lastWord = 5 * time.Second

// Requests serves a channel of requests without bytes, one at a time, until it ends: decode reads one, answer answers it with as many messages as it takes. A message that is
// malformed is refused, and ends the channel.
func Requests[R any](ctx context.Context, c channel.Conn, decode func([]byte) (R, error), answer func(r R, send func(message any) error) error) error {
	defer c.Close()
	for {
		m, err := c.Receive(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !m.Text:
			return Malformed(ctx, c, channel.Refuse(channel.CodeInvalid, "bytes on a channel that has none"))
		}
		r, err := decode(m.Data)
		if err != nil {
			return Malformed(ctx, c, err)
		}
		if err := answer(r, func(message any) error { return Send(ctx, c, message) }); err != nil {
			return err
		}
	}
}

// Malformed tells the other side what was wrong with its message, and returns that: the channel ends by it.
func Malformed(ctx context.Context, c channel.Conn, err error) error {
	ctx, cancel := context.WithTimeout(ctx, lastWord)
	defer cancel()
	return errors.Join(err, Send(ctx, c, struct {
		Error *channel.Error `json:"error"`
	}{Refusal(err)}))
}

// Send sends a text message.
func Send(ctx context.Context, c channel.Conn, message any) error {
	text, err := channel.Encode(message)
	if err != nil {
		return err
	}
	return c.Send(ctx, channel.Message{Text: true, Data: text})
}
