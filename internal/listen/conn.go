package listen

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync/atomic"
)

// conn is one accepted connection: the TCP connection, the bytes that were looked at and not read yet, and what is given back when
// it closes. It lives as long as the connection, so it is small.
type conn struct {
	net.Conn
	place   *port          // whose count is given back; nil: none
	remote  netip.AddrPort // behind a proxy the client's
	counted bool           // the source's count is given back, too. Set before the hand-over.
	closed  atomic.Bool

	ahead []byte // comes before what Conn has; nil once read. Owned by the reader.
	work  *work  // nil but during the handshake
}

// Read returns first what was looked at.
func (c *conn) Read(b []byte) (int, error) {
	if len(c.ahead) == 0 {
		if c.work != nil {
			return c.work.read(c.Conn, b)
		}
		return c.Conn.Read(b)
	}
	n := copy(b, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead = nil
	}
	return n, nil
}

// Write writes to the network.
func (c *conn) Write(b []byte) (int, error) {
	if c.work != nil {
		return c.work.write(c.Conn, b)
	}
	return c.Conn.Write(b)
}

// Close closes the TCP connection and gives its place back, once.
func (c *conn) Close() error {
	if !c.closed.Swap(true) && c.place != nil {
		c.place.server.giveBack(c)
	}
	return c.Conn.Close()
}

// CloseWrite ends our side of a plain connection; the client may go on sending.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

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

// source returns what the connection counts for.
func (c *conn) source() netip.Addr { return sourceOf(c.remote.Addr()) }

// cut closes the TCP connection when a context ends, so that every wait on it ends. It may be called while another goroutine leads
// the connection, and so leaves giving back to that one, which calls Close.
func (c *conn) cut() { _ = c.Conn.Close() } // nobody is left to be told of an error

// fill reads at least one byte and keeps what came ahead, at most size bytes in all. The buffer grows with what came, not with what is announced.
func (c *conn) fill(size int) error {
	old := len(c.ahead)
	if old+1 > cap(c.ahead) {
		grown := make([]byte, old, min(size, max(2048, 2*old)))
		copy(grown, c.ahead)
		c.ahead = grown
	}
	for {
		n, err := c.Conn.Read(c.ahead[old:min(size, cap(c.ahead))])
		c.ahead = c.ahead[:old+n]
		if n > 0 {
			return nil // an error comes again
		}
		if err != nil {
			return err
		}
	}
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

// CloseWrite ends our side; the client may go on sending.
func (s *sniffed) CloseWrite() error { return closeWrite(s.Conn) }

// Unwrap returns the *tls.Conn once the byte that was looked at has been read, s itself before.
func (s *sniffed) Unwrap() net.Conn {
	if s.read {
		return s.Conn
	}
	return s
}
