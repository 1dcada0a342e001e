package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"signalbox/internal/link"
)

// Goroutine is the portable driver: one goroutine negotiates, fresh ones with a small stack read from then on, another one writes while there is something to
// write.
type Goroutine struct {
	limits   Limits
	startTLS link.StartTLS
	input    buffers
	joins    sync.Pool
	readers  sync.WaitGroup
}

// NewGoroutine returns a driver. A nil startTLS makes Secure fail.
func NewGoroutine(l Limits, startTLS link.StartTLS) *Goroutine {
	g := &Goroutine{limits: l, startTLS: startTLS}
	g.joins.New = func() any {
		p := make([]byte, 0, recordBytes)
		return &p
	}
	return g
}

// Wait implements Driver.
func (g *Goroutine) Wait() { g.readers.Wait() }

// socket is one connection of a Goroutine driver.
type socket struct {
	output
	driver  *Goroutine
	handler Handler
	input   input // owned by the reader
}

// Serve implements Driver.
func (g *Goroutine) Serve(ctx context.Context, nc net.Conn, open func(Conn) Handler) {
	s := &socket{output: output{limits: g.limits, joins: &g.joins, nc: nc}, driver: g}
	s.input.pool = &g.input
	g.readers.Add(1)
	s.handler = open(s)
	if err, settled := s.negotiate(ctx); !settled {
		s.end(err)
		return
	}
	s.readOn(true)
}

// negotiate reads until the stream is settled, or until it is over with an error or nil.
func (s *socket) negotiate(ctx context.Context) (err error, settled bool) {
	for {
		next, err := s.turn()
		if err != nil {
			return err, false
		}
		switch next {
		case Settle:
			return nil, true
		case Secure:
			if err := s.secure(ctx); err != nil {
				return err, false
			}
		case Stop:
			return s.discard(), false
		}
	}
}

// readOn goes on reading in a fresh goroutine. One that has done a handshake, or only handled a stanza, keeps the stack that it grew for as long as it waits for
// the next, which is nearly always: for an idle connection that costs more than its state.
func (s *socket) readOn(leftovers bool) {
	go func() {
		next, err := Read, error(nil)
		if leftovers && s.input.n > 0 {
			next = s.feed()
		} else {
			next, err = s.turn()
		}
		switch {
		case err != nil:
			s.end(err)
		case next == Stop:
			s.end(s.discard())
		default:
			s.readOn(false)
		}
	}()
}

// turn reads once and feeds the stream.
func (s *socket) turn() (Next, error) {
	space := s.input.space(s.driver.limits.ReadBytes)
	if len(space) == 0 {
		return Stop, fmt.Errorf("stream held %d bytes unconsumed", s.input.n)
	}
	n, err := s.conn().Read(space)
	if n == 0 && err != nil {
		return Stop, err
	}
	if s.isFinishing() {
		return Stop, nil
	}
	s.input.n += n
	return s.feed(), nil
}

// feed gives the stream what is held, again after every answer that left bytes over.
func (s *socket) feed() Next {
	n, next := s.handler.Data(s.input.held())
	s.input.consume(n)
	return next
}

// secure writes what is queued and upgrades the connection. Bytes that the peer sent in plain text behind its request are refused: somebody else may have
// put them there. White space is no request and is dropped: RFC 6120 section 5.3.3 forbids it here, but older versions of the library go-xmpp send two newlines.
func (s *socket) secure(ctx context.Context) error {
	plain, err := s.beginSecuring()
	if err != nil {
		return err
	}
	if rest := bytes.TrimLeft(s.input.held(), " \t\r\n"); len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes of plain text followed the request for TLS", ErrTLS, len(rest))
	}
	s.input.consume(s.input.n)
	if s.driver.startTLS == nil {
		return fmt.Errorf("%w: not available on this listener", ErrTLS)
	}
	nc, facts, err := s.driver.startTLS(ctx, plain)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTLS, err)
	}
	if err := s.endSecuring(nc); err != nil {
		return err
	}
	s.handler.Secured(facts)
	return nil
}

// discard reads and forgets what the peer still sends after we finished, bounded in bytes and time, so that our last words are not lost to a reset.
func (s *socket) discard() error {
	const most = 1 << 20
	s.mu.Lock()
	nc, wait := s.nc, s.driver.limits.Linger
	if s.writing {
		wait += s.driver.limits.WriteTimeout // the writer shortens it when it is done
	}
	_ = nc.SetReadDeadline(time.Now().Add(wait))
	s.mu.Unlock()
	_, _ = io.CopyN(io.Discard, struct{ io.Reader }{nc}, most)
	return nil
}

func (s *socket) end(err error) {
	s.input.release()
	s.mu.Lock()
	if s.err != nil {
		err = s.err // why a write failed says more than the read error that its close caused
	} else if s.finishing {
		err = nil
	}
	s.closeLocked()
	s.mu.Unlock()
	_ = s.awaitIdle() // the writer has nothing left that it could block on
	s.handler.Closed(err)
	s.driver.readers.Done()
}

func (s *socket) conn() net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nc
}

func (s *socket) isFinishing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finishing
}
