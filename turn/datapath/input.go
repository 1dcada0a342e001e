package datapath

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// Sizes of read buffers in bytes: many frames, from a pool and held only while whole ones are in it, where the connection can tell that something came; else kept.
const (
	pooledInput = 32 << 10
	keptInput   = 4 << 10
)

var inputs = sync.Pool{New: func() any { return new([pooledInput]byte) }}

// input reads a connection into a buffer that begins with what was kept of the last read.
type input struct {
	conn net.Conn
	buf  []byte
	n    int // bytes at the beginning of buf, or of rest, that were kept

	raw    syscall.RawConn // nil: the connection cannot tell
	pooled *[pooledInput]byte
	rest   []byte // what is kept while no buffer from the pool is held: a frame that is not whole, so that a slow client costs no more than its bytes
	try    func(fd uintptr) bool
	got    int
	err    error
}

// newInput knows connections of the net package; others may hold bytes back that were read already.
func newInput(c net.Conn, portable bool) *input {
	in := &input{conn: c}
	switch c := c.(type) {
	case *net.TCPConn:
		in.raw, _ = c.SyscallConn()
	case *net.UnixConn:
		in.raw, _ = c.SyscallConn()
	}
	if portable || !canTry {
		in.raw = nil
	}
	if in.raw == nil {
		in.buf = make([]byte, keptInput)
	}
	in.try = in.tryRead
	return in
}

// more waits for bytes and returns all that there are, valid until the next call of keep.
func (in *input) more() ([]byte, error) {
	if in.raw == nil {
		n, err := in.conn.Read(in.buf[in.n:])
		in.n += n
		if n > 0 {
			err = nil // it comes again
		}
		return in.buf[:in.n], err
	}
	if err := in.raw.Read(in.try); err != nil {
		return nil, err
	}
	switch {
	case in.err != nil:
		return nil, in.err
	case in.got == 0:
		return nil, io.EOF
	}
	in.n += in.got
	return in.buf[:in.n], nil
}

// tryRead reads if something is there; false: it waits for more.
func (in *input) tryRead(fd uintptr) bool {
	if in.pooled == nil {
		in.pooled = inputs.Get().(*[pooledInput]byte)
		in.buf = in.pooled[:]
		copy(in.buf, in.rest)
	}
	var again bool
	in.got, again, in.err = readNow(fd, in.buf[in.n:])
	if again {
		in.free()
	}
	return !again
}

// keep keeps the bytes that were not used, the beginning of a frame, for the next call of more.
func (in *input) keep(rest []byte) {
	in.n = len(rest)
	if in.pooled == nil {
		copy(in.buf, rest)
		return
	}
	in.rest = append([]byte(nil), rest...)
	in.free()
}

// free gives a buffer from the pool back.
func (in *input) free() {
	if in.pooled != nil {
		inputs.Put(in.pooled)
		in.pooled, in.buf = nil, nil
	}
}
