// Package transport moves the bytes of XMPP streams: drivers that own sockets and goroutines, behind interfaces that a stream without either can implement.
package transport

import (
	"context"
	"errors"
	"net"
	"time"

	"signalbox/internal/link"
)

// Next is what a stream wants of the driver after it took bytes.
type Next uint8

// What a Handler may answer.
const (
	Read   Next = iota // go on reading
	Secure             // write what is queued, then do the TLS handshake of STARTTLS; Secured follows
	Settle             // login is over: the stream will mostly be silent from now on
	Stop               // nothing is read any more; the handler has called Finish or Abort
)

// Errors with which a connection is Closed, beside those of package net.
var (
	ErrSlow = errors.New("the peer does not read what is written to it")
	ErrTLS  = errors.New("TLS handshake failed")
)

// ErrFull is returned by Conn.Send when the queue has no room.
var ErrFull = errors.New("send queue is full")

// ErrClosed is returned by Conn.Send once the connection finishes or is closed.
var ErrClosed = errors.New("connection is closed")

// Handler is one stream. The driver calls its methods one at a time, from whichever goroutine reads.
type Handler interface {
	// Data is called with all bytes that were received and not yet consumed, at least one of them new or left over by an answer other than Read. It returns how many it
	// consumed. It borrows p. Until it has answered Settle it may block; afterwards it waits for nothing but what accounts keep, seconds at most.
	Data(p []byte) (consumed int, next Next)
	// Secured is called after Secure with what is known of the handshake; what it returns is as for Data.
	Secured(tls link.TLS)
	// Closed is called once, as the last call: the connection is closed. The error is nil after Finish and Abort, io.EOF where the peer closed, else the
	// failure.
	Closed(err error)
}

// Conn is the socket's side of a stream. All methods may be called concurrently and never block.
type Conn interface {
	// Send queues p and tail, and calls written, if it is not nil, when the write to the connection returned. Errors: ErrFull, ErrClosed.
	Send(p, tail []byte, written func(time.Time)) error
	// Control queues bytes past a full queue: acknowledgements, pings, answers to the peer's own requests. A peer that goes on asking and does not read is closed
	// with ErrSlow when twice the bound waits for it.
	Control(p []byte)
	// Finish queues the last bytes of the stream, closes the connection once they are written, and takes nothing more.
	Finish(last []byte)
	// Abort closes the connection at once.
	Abort()
}

// Limits bound what a connection may cost.
type Limits struct {
	QueueBytes   int           // unsent bytes beyond which Send answers ErrFull
	ReadBytes    int           // largest number of unconsumed bytes that is ever held
	WriteTimeout time.Duration // for one write to return
	Linger       time.Duration // how long a finished connection may take to be closed by the peer
}

// Driver serves connections.
type Driver interface {
	// Serve makes a handler for the connection and moves its bytes. It returns when login is over or the connection is closed; the driver goes on by itself
	// until Handler.Closed.
	Serve(ctx context.Context, nc net.Conn, open func(Conn) Handler)
	// Wait returns when every connection that Serve took is closed. Serve is not called any more.
	Wait()
}
