package login

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"signalbox/xmpp/scan"
)

// inboundLimits bound one stanza from the server: a payload of 64 KiB of which every byte is escaped, and what stands around it.
var inboundLimits = scan.Limits{Bytes: 1 << 20, Depth: 32, Attributes: 64, Namespaces: 64}

// keptBuffer is how much memory a reader keeps between stanzas.
const keptBuffer = 16 << 10

var errReplay = errors.New("unexpected stream")

// Reader turns the bytes of a stream into events. One goroutine may use it; others may ask when it last received something.
type Reader struct {
	src   io.Reader
	born  time.Time
	heard atomic.Int64 // when bytes last came, as Clock tells it

	sc         scan.Scanner
	buf        []byte
	start, end int // of what is in buf and not consumed
}

// NewReader makes a reader of a stream that has not begun.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src, born: time.Now(), sc: scan.New(inboundLimits), buf: make([]byte, 4<<10)}
}

// Replay scans what another reader of the same stream has consumed, from the stream header on.
func (r *Reader) Replay(seen []byte) error {
	for first := true; len(seen) > 0; first = false {
		ev, n, err := r.sc.Next(seen)
		switch {
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("%w: it was left in the middle of an element", errReplay)
		case first && (ev.Kind != scan.StreamOpen || !ev.Header.IsStream() || ev.Header.Default != scan.NamespaceClient):
			return fmt.Errorf("%w: it does not begin with a client's stream header", errReplay)
		}
		seen = seen[n:]
	}
	return nil
}

// Next returns the next event, which is valid until the next call.
func (r *Reader) Next() (scan.Event, error) {
	for {
		ev, n, err := r.sc.Next(r.buf[r.start:r.end])
		if err != nil {
			return scan.Event{}, err
		}
		if n > 0 {
			r.start += n
			return ev, nil
		}
		if err := r.fill(); err != nil {
			return scan.Event{}, err
		}
	}
}

// fill reads more bytes behind those that are not consumed.
func (r *Reader) fill() error {
	switch held := r.end - r.start; {
	case held == 0 && len(r.buf) > keptBuffer:
		r.buf = make([]byte, keptBuffer)
	case r.start > 0:
		copy(r.buf, r.buf[r.start:r.end])
	case held == len(r.buf): // the scanner's limit bounds the growth
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	r.start, r.end = 0, r.end-r.start
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		r.heard.Store(int64(r.Clock()))
		return nil
	}
	return err
}

// Clock returns the age of the reader. It does not jump when somebody sets the machine's time.
func (r *Reader) Clock() time.Duration { return time.Since(r.born) }

// LastHeard returns when bytes were last received.
func (r *Reader) LastHeard() time.Duration { return time.Duration(r.heard.Load()) }
