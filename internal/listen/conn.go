package listen

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// conn is one accepted connection: the TCP connection, the bytes that were looked at and not read yet, and what is given back when
// it closes. It lives as long as the connection, so it is small.
type conn struct {
	net.Conn
	ahead  []byte         // read before Conn; nil once consumed. Owned by the reader.
	remote netip.AddrPort // behind a proxy the client's
	place  *port          // whose count is given back; nil: none
	source netip.Addr     // whose count is given back; invalid: none
	closed atomic.Bool
}

// Read returns first what was looked at.
func (c *conn) Read(b []byte) (int, error) {
	if len(c.ahead) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead = nil
	}
	return n, nil
}

// Close closes the TCP connection and gives its place back, once.
func (c *conn) Close() error {
	if !c.closed.Swap(true) && c.place != nil {
		c.place.server.giveBack(c)
	}
	return c.Conn.Close()
}

// RemoteAddr returns the client's address, behind a trusted proxy the one that the proxy told.
func (c *conn) RemoteAddr() net.Addr {
	if !c.remote.IsValid() {
		return c.Conn.RemoteAddr()
	}
	return net.TCPAddrFromAddrPort(c.remote)
}

// NetConn returns the connection below once everything that was looked at has been read, c itself before.
func (c *conn) NetConn() net.Conn {
	if len(c.ahead) > 0 {
		return c
	}
	return c.Conn
}

// expire makes every present and future wait on the connection end.
func (c *conn) expire() { _ = c.SetDeadline(time.Unix(1, 0)) } // fails only on a closed connection, on which nobody waits

// fill reads once and keeps what came ahead, at most size bytes in all. The buffer grows with what came, not with what is announced.
func (c *conn) fill(size int) error {
	old := len(c.ahead)
	if old+1 > cap(c.ahead) {
		grown := make([]byte, old, min(size, max(2048, 2*old)))
		copy(grown, c.ahead)
		c.ahead = grown
	}
	n, err := c.Conn.Read(c.ahead[old:min(size, cap(c.ahead))])
	c.ahead = c.ahead[:old+n]
	if n > 0 {
		return nil
	}
	return err
}

// sniffed is a TLS connection of which one decrypted byte was looked at.
type sniffed struct {
	*tls.Conn
	first byte
	read  bool // first was read. Owned by the reader.
}

// Read returns first the byte that was looked at, alone: waiting for more could wait for ever.
func (s *sniffed) Read(b []byte) (int, error) {
	if s.read || len(b) == 0 {
		return s.Conn.Read(b)
	}
	b[0], s.read = s.first, true
	return 1, nil
}

// Unwrap returns the *tls.Conn once the byte that was looked at has been read, s itself before.
func (s *sniffed) Unwrap() net.Conn {
	if s.read {
		return s.Conn
	}
	return s
}
