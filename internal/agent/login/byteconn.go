package login

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
)

// maxLoginBytes bounds what is read between a stream header and the bound resource. Mellium has no limit of its own.
const maxLoginBytes = 64 << 10

var errLoginSize = errors.New("the server sent too much before the session was bound")

// byteConn is a connection that also gives out single bytes. A decoder which finds ReadByte never reads ahead, so whoever reads after it
// starts exactly where it stopped. It remembers the bytes that were given out one by one.
type byteConn struct {
	net.Conn
	r      *bufio.Reader
	seen   []byte
	failed error // of the newest ReadByte, which who reads XML may hide behind a syntax error
}

func newByteConn(c net.Conn) *byteConn { return &byteConn{Conn: c, r: bufio.NewReader(c)} }

// Read returns bytes without remembering them.
func (c *byteConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// ReadByte returns the next byte and remembers it; it fails once a login has read more than any login needs.
func (c *byteConn) ReadByte() (byte, error) {
	if len(c.seen) == maxLoginBytes {
		c.failed = errLoginSize
		return 0, errLoginSize
	}
	b, err := c.r.ReadByte()
	c.failed = err
	if err == nil {
		c.seen = append(c.seen, b)
	}
	return b, err
}

// ConnectionState tells mellium what it needs for channel binding. Without TLS it returns the zero value.
func (c *byteConn) ConnectionState() tls.ConnectionState {
	if t, ok := c.Conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		return t.ConnectionState()
	}
	return tls.ConnectionState{}
}
