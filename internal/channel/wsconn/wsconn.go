// Package wsconn makes channels of WebSockets: each message of one is a message of the other.
package wsconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/coder/websocket"

	"signalbox/internal/channel"
)

// New makes a channel of a WebSocket, which it owns from now on.
func New(ws *websocket.Conn) channel.Conn {
	ws.SetReadLimit(channel.MaxMessage)
	return &conn{ws: ws}
}

// Dial opens a WebSocket by the client and makes a channel of it. Where the server refuses it, the error names its answer.
func Dial(ctx context.Context, url string, client *http.Client) (channel.Conn, error) {
	ws, answer, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		if answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("open a WebSocket: the answer was %s", answer.Status)
		}
		return nil, fmt.Errorf("open a WebSocket: %w", err)
	}
	return New(ws), nil
}

type conn struct {
	ws     *websocket.Conn
	buffer []byte // of the last message; owned by Receive
}

// Receive implements channel.Conn.
func (c *conn) Receive(ctx context.Context) (channel.Message, error) {
	kind, r, err := c.ws.Reader(ctx)
	if err != nil {
		return channel.Message{}, end(err)
	}
	if c.buffer, err = readAll(r, c.buffer[:0]); err != nil {
		return channel.Message{}, end(err)
	}
	return channel.Message{Text: kind == websocket.MessageText, Data: c.buffer}, nil
}

// readAll appends all of r to b, whose room it uses before it asks for more.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// Send implements channel.Conn.
func (c *conn) Send(ctx context.Context, m channel.Message) error {
	kind := websocket.MessageBinary
	if m.Text {
		kind = websocket.MessageText
	}
	return end(c.ws.Write(ctx, kind, m.Data))
}

// Close implements channel.Conn.
func (c *conn) Close() error {
	return end(c.ws.Close(websocket.StatusNormalClosure, ""))
}

// end makes io.EOF of the orderly end of the other side.
func end(err error) error {
	var closed websocket.CloseError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &closed) && closed.Code == websocket.StatusNormalClosure:
		return io.EOF
	case errors.As(err, &closed) && closed.Reason != "":
		return fmt.Errorf("the channel was closed: %s", closed.Reason)
	}
	return err
}
