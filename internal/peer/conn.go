package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"

	"signalbox/internal/channel"
)

// Marks of what waits to be sent on a channel, in bytes: above the high one Send waits until it is below the low one.
const (
	highWater = 1 << 20
	lowWater  = 256 << 10
)

// raw is a data channel that the library does not read itself.
type raw interface {
	ReadDataChannel(b []byte) (int, bool, error)
	WriteDataChannel(b []byte, text bool) (int, error)
	SetReadDeadline(t time.Time) error
	BufferedAmount() uint64
	Close() error
}

// conn is a data channel as channel.Conn.
type conn struct {
	peer *Peer
	data *webrtc.DataChannel
	raw  raw           // set before open is closed
	open chan struct{} // closed when the channel can be used
	low  chan struct{} // what waits has fallen below lowWater
	done chan struct{} // closed with the channel
	once sync.Once
	err  error // why; set before done is closed

	sending chan struct{} // holds something while a Send is under way
	buf     []byte        // of Receive
}

func newConn(p *Peer, d *webrtc.DataChannel) *conn {
	c := &conn{peer: p, data: d, open: make(chan struct{}), low: make(chan struct{}, 1), done: make(chan struct{}), sending: make(chan struct{}, 1)}
	d.SetBufferedAmountLowThreshold(lowWater)
	d.OnBufferedAmountLow(func() {
		select {
		case c.low <- struct{}{}:
		default:
		}
	})
	return c
}

// attach takes the channel from the library once it is open, and returns false if there is nothing to take.
func (c *conn) attach() bool {
	detached, err := c.data.Detach()
	if err != nil {
		c.fail(err)
		return false
	}
	r, ok := detached.(raw)
	if !ok {
		c.fail(fmt.Errorf("%T is no data channel", detached))
		return false
	}
	c.raw = r
	close(c.open)
	return true
}

// fail ends the channel; the first error counts.
func (c *conn) fail(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.done)
		c.peer.left()
	})
}

// ready waits until the channel can be used.
func (c *conn) ready(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	default:
	}
	select {
	case <-c.open:
		return nil
	case <-c.done:
		return c.err
	case <-c.peer.life.Done():
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Receive implements channel.Conn.
func (c *conn) Receive(ctx context.Context) (channel.Message, error) {
	if err := c.ready(ctx); err != nil {
		return channel.Message{}, err
	}
	if c.buf == nil {
		c.buf = make([]byte, channel.MaxMessage+1)
	}
	interrupted := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { interrupted <- c.raw.SetReadDeadline(time.Unix(1, 0)) })
	n, text, err := c.raw.ReadDataChannel(c.buf)
	if !stop() {
		if err := errors.Join(<-interrupted, c.raw.SetReadDeadline(time.Time{})); err != nil {
			return channel.Message{}, c.broken(err)
		}
		if err != nil {
			return channel.Message{}, ctx.Err()
		}
	}
	switch {
	case errors.Is(err, io.ErrShortBuffer) || n > channel.MaxMessage:
		return channel.Message{}, c.broken(fmt.Errorf("a message of more than %d bytes came", channel.MaxMessage))
	case err != nil:
		return channel.Message{}, c.broken(err)
	}
	return channel.Message{Text: text, Data: c.buf[:n]}, nil
}

// broken ends the channel for an error of the way, and returns what the caller is told: io.EOF where the other side has closed and the connection is still there.
func (c *conn) broken(err error) error {
	if errors.Is(err, io.EOF) && (c.peer.life.Err() != nil || c.peer.State() == Closed || c.peer.State() == Failed) {
		err = errClosed
	}
	c.fail(err)
	_ = c.raw.Close() // the error is what counts
	return err
}

// Send implements channel.Conn.
func (c *conn) Send(ctx context.Context, m channel.Message) error {
	if len(m.Data) > channel.MaxMessage {
		return fmt.Errorf("a message of %d bytes, more than %d", len(m.Data), channel.MaxMessage)
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	select {
	case c.sending <- struct{}{}:
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.sending }()
	if c.raw.BufferedAmount() > highWater {
		if err := c.drained(ctx); err != nil {
			return err
		}
	}
	if _, err := c.raw.WriteDataChannel(m.Data, m.Text); err != nil {
		return c.broken(err)
	}
	return nil
}

// drained waits until less than lowWater waits to be sent.
func (c *conn) drained(ctx context.Context) error {
	for c.raw.BufferedAmount() > lowWater {
		select {
		case <-c.low:
		case <-c.done:
			return c.err
		case <-c.peer.life.Done():
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close implements channel.Conn: what was sent is delivered before the other side sees the end.
func (c *conn) Close() error {
	c.fail(io.ErrClosedPipe)
	select {
	case <-c.open:
		return c.raw.Close()
	default:
		return c.data.Close()
	}
}
