package websocket

import (
	"errors"
	"math"
	"net"
	"sync"
	"time"
)

const (
	joinBytes   = 16 << 10        // payload of one TLS record: what is written together goes out in pieces of it
	closeTime   = time.Second     // for a close frame, the last that we write
	unlimited   = math.MaxInt     // bytes that may be read while no message is on its way: control frames have a rate of their own
	frameSlack  = 8 << 10         // bytes of frame headers and control frames within one message, beyond its own
	opcodeClose = 0x80 | 0x08     // of a whole frame (RFC 6455 section 5.2)
	normal      = closeCode(1000) // RFC 6455 section 7.4.1
	unsupported = closeCode(1003)
	policy      = closeCode(1008)
	tooBig      = closeCode(1009)
)

// closeCode is why a WebSocket is closed.
type closeCode uint16

// errTooMuch ends the reading from a client that sends more around its messages than in them.
var errTooMuch = errors.New("too many frames for what they carry")

// joins lends the buffers in which small writes are joined.
var joins = sync.Pool{New: func() any {
	b := make([]byte, 0, joinBytes)
	return &b
}}

// wire is the connection below a WebSocket, where frames are bytes. It counts what comes in, joins what goes out, and lets nothing follow a close frame.
type wire struct {
	net.Conn

	// owned by the reader
	ahead  []byte // came together with the request; nil once read
	room   int    // bytes that may still be read
	failed error  // why nothing can be read any more; nil while it can

	mu     sync.Mutex
	joined *[]byte       // what waits for release; nil: writes go out at once
	each   time.Duration // that every piece of a write may take; 0: for ever
	shut   bool          // a close frame is out
}

// Read implements net.Conn.
func (w *wire) Read(p []byte) (n int, err error) {
	switch {
	case w.room <= 0:
		err = errTooMuch
	case len(w.ahead) > 0:
		n = copy(p, w.ahead)
		if w.ahead = w.ahead[n:]; len(w.ahead) == 0 {
			w.ahead = nil
		}
	default:
		n, err = w.Conn.Read(p)
	}
	w.room -= n
	if n == 0 {
		w.failed = err
	}
	return n, err
}

// Write implements net.Conn.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.shut:
		return len(p), nil
	case w.joined == nil:
		return w.Conn.Write(p)
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), joinBytes-len(*w.joined))
		*w.joined = append(*w.joined, rest[:n]...)
		if rest = rest[n:]; len(rest) > 0 {
			if err := w.flushLocked(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// hold joins what is written from now on, until release.
func (w *wire) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.joined = joins.Get().(*[]byte)
}

// release writes what was joined.
func (w *wire) release() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.flushLocked()
	joins.Put(w.joined)
	w.joined = nil
	return err
}

// flushLocked writes one piece. A client that reads slowly but steadily is not slow, so each has its own time.
func (w *wire) flushLocked() error {
	if len(*w.joined) == 0 {
		return nil
	}
	if w.each > 0 {
		_ = w.Conn.SetWriteDeadline(time.Now().Add(w.each)) // a connection that cannot fails in the next line
	}
	_, err := w.Conn.Write(*w.joined)
	*w.joined = (*w.joined)[:0]
	return err
}

// SetWriteDeadline implements net.Conn.
func (w *wire) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.each = 0
	if !t.IsZero() {
		w.each = time.Until(t)
	}
	return w.Conn.SetWriteDeadline(t)
}

// sayClose writes a close frame, the last frame that goes out; what comes later is dropped. A client that does not take it finds out by the end of the connection.
func (w *wire) sayClose(code closeCode) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shut {
		return
	}
	w.shut = true
	_ = w.Conn.SetWriteDeadline(time.Now().Add(closeTime))
	_, _ = w.Conn.Write([]byte{opcodeClose, 2, byte(code >> 8), byte(code)})
}
