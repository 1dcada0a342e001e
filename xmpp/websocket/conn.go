package websocket

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	coder "github.com/coder/websocket"

	"signalbox/xmpp/scan"
)

// drainBytes bounds what is read of a client whose stream is over.
const drainBytes = 1 << 20

// conn is a WebSocket that looks like a connection of RFC 6120. It implements net.Conn, with CloseWrite for the end of our side. One goroutine reads and another
// one writes at a time.
//
// A message reaches the stream as a whole or not at all; but its < does at once, with which every message begins. So the stream knows that something is on its
// way, and its own limits of time hold.
//
// The deadlines are those of the connection below: the library's own, contexts, need a goroutine each time and end the connection as well.
type conn struct {
	*wire
	ws     *coder.Conn
	br     *bufio.Reader // what ws reads from
	limits *limits

	// owned by the reader
	message io.Reader // that has begun and was not read to its end; nil: none
	binary  bool      // message is
	begun   bool      // the < of message was handed to the stream
	refused bool      // the stream was given something to refuse, and gets nothing else any more
	broken  bool      // where the next frame begins is not known
	ready   []byte    // what the stream has not taken yet
	buffer  *[]byte   // lent by buffers; holds ready
	control bucket    // of control frames

	// shared
	known      atomic.Bool  // the client has logged in
	peerClosed atomic.Bool  // <close/> came
	weClosed   atomic.Bool  // <close/> is out, the last that we say
	code       atomic.Int32 // with which the WebSocket is closed, if not normally

	out outward // owned by the writer
}

// tagOpen begins every message. Nobody writes into it.
var tagOpen = []byte("<")

// keptBytes is the size of the largest buffer that is kept for the next message.
const keptBytes = 64 << 10

// buffers lends memory for messages.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 4<<10)
	return &b
}}

// limits bound a message.
type limits struct {
	login  int         // bytes before login
	stanza scan.Limits // after it; all but the bytes hold before it too
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	for len(c.ready) == 0 {
		var err error
		if c.message == nil {
			err = c.begin()
		} else {
			err = c.finish()
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, c.ready)
	if c.ready = c.ready[n:]; len(c.ready) == 0 {
		c.giveBack()
	}
	return n, nil
}

// over reports whether what still comes is only waited out.
func (c *conn) over() bool { return c.refused || c.weClosed.Load() }

// begin waits for a message.
func (c *conn) begin() error {
	if c.broken {
		return c.drop()
	}
	if c.over() {
		c.room = min(c.room, drainBytes)
	} else {
		c.room = unlimited
	}
	// Most of a session's life is spent in this line, so it should need little stack.
	if _, err := c.br.Peek(1); err != nil {
		return c.lost(err)
	}
	typ, message, err := c.ws.Reader(context.Background())
	if err != nil {
		return c.lost(err)
	}
	c.message, c.binary, c.begun = message, typ == coder.MessageBinary, false
	if !c.over() {
		c.room = c.mostBytes() + frameSlack
		c.begun, c.ready = true, tagOpen
	}
	return nil
}

// mostBytes is the size of the largest message that the client may send now.
func (c *conn) mostBytes() int {
	if c.known.Load() {
		return c.limits.stanza.Bytes
	}
	return c.limits.login
}

// finish reads the message that has begun, and hands it to the stream.
func (c *conn) finish() error {
	if c.refused || c.binary {
		return c.skip()
	}
	limits := c.limits.stanza
	limits.Bytes = c.mostBytes()
	whole, err := c.collect(limits.Bytes + 1)
	if err != nil {
		return c.lost(err)
	}
	text, closes, err := inward(whole, limits)
	if err != nil {
		c.refuse(err, policyCode(err))
		return nil
	}
	c.message, c.begun = nil, false
	if closes {
		c.peerClosed.Store(true)
	}
	if c.weClosed.Load() {
		c.giveBack()
		if closes {
			c.sayClose(normal)
		}
		return nil
	}
	c.ready = text[1:]
	return nil
}

// collect reads the message into a buffer, as far as most bytes of it.
func (c *conn) collect(most int) ([]byte, error) {
	c.buffer = buffers.Get().(*[]byte)
	b := (*c.buffer)[:0]
	for len(b) < most {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := c.message.Read(b[len(b):min(cap(b), most)])
		b = b[:len(b)+n]
		*c.buffer = b
		switch {
		case c.failed != nil: // the library takes the end of the connection for that of the message
			return nil, c.failed
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		}
	}
	return b, nil
}

// skip reads the message and forgets it. The first that must be skipped is refused.
func (c *conn) skip() error {
	if !c.over() {
		c.refuse(errBinary, unsupported)
		return nil
	}
	if _, err := io.Copy(io.Discard, c.message); err != nil {
		return c.lost(err)
	}
	c.message = nil
	return nil
}

var errBinary = &scan.Error{Condition: scan.NotWellFormed, Detail: "binary message"}

// refuse has the stream end for what the client sent.
func (c *conn) refuse(err error, code closeCode) {
	text := refusal(err)
	if c.begun {
		text = text[1:]
	}
	c.giveBack()
	c.code.Store(int32(code))
	c.refused, c.room, c.ready = true, drainBytes, []byte(text)
}

// policyCode tells messages that are too big from others that are refused.
func policyCode(err error) closeCode {
	var e *scan.Error
	if errors.As(err, &e) && e.Condition == scan.PolicyViolation {
		return tooBig
	}
	return policy
}

// lost is what the stream is told when nothing can be read any more. The library has answered a close frame already.
func (c *conn) lost(err error) error {
	switch {
	case errors.Is(err, errTooMuch) && !c.over():
		c.broken = true
		c.refuse(&scan.Error{Condition: scan.PolicyViolation, Detail: errTooMuch.Error()}, policy)
		return nil
	case coder.CloseStatus(err) != -1:
		err = io.EOF
	}
	if c.weClosed.Load() {
		c.sayClose(c.closeCode())
	}
	c.giveBack()
	return err
}

// drop reads bytes in which no frames can be told apart any more.
func (c *conn) drop() error {
	if _, err := io.Copy(io.Discard, struct{ io.Reader }{c.wire}); err != nil {
		return err
	}
	return io.EOF
}

func (c *conn) closeCode() closeCode {
	if code := c.code.Load(); code != 0 {
		return closeCode(code)
	}
	return normal
}

// allowControl takes a ping or a pong, which the library answers by itself; too many end the reading.
func (c *conn) allowControl() bool {
	if c.control.take(time.Now()) {
		return true
	}
	c.room = 0
	return false
}

// giveBack returns the buffer.
func (c *conn) giveBack() {
	c.ready = nil
	if c.buffer == nil {
		return
	}
	if cap(*c.buffer) <= keptBytes {
		buffers.Put(c.buffer)
	}
	c.buffer = nil
}

// Write implements net.Conn: it sends the messages that p completes.
func (c *conn) Write(p []byte) (int, error) {
	c.hold()
	err := c.out.write(p, c.send)
	if errRelease := c.release(); err == nil {
		err = errRelease
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *conn) send(message []byte, el *scan.Stanza) error {
	if string(el.Local()) == "success" {
		c.known.Store(true)
	}
	return c.ws.Write(context.Background(), coder.MessageText, message)
}

// CloseWrite says that nothing will be written any more (RFC 7395 section 3.6): the WebSocket closes when the client has said so too, or deserves no waiting.
func (c *conn) CloseWrite() error {
	c.weClosed.Store(true)
	if c.peerClosed.Load() || c.code.Load() != 0 {
		c.sayClose(c.closeCode())
	}
	return nil
}

// Close implements net.Conn. It ends every read and write.
func (c *conn) Close() error {
	err := c.wire.Close()
	_ = c.ws.CloseNow() // frees what the library holds; it waits for a read and a write that are under way, which the line above has ended
	return err
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
