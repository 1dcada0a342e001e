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
	counted bool           // the source's count is given back, too
	closed  atomic.Bool

	// Owned by the reader.
	ahead []byte // comes before what Conn has; nil once read
	gate  gate   // during the handshake; nil otherwise
}

// Read returns first what was looked at.
func (c *conn) Read(b []byte) (int, error) {
	if len(c.ahead) == 0 {
		return c.readOn(b)
	}
	n := copy(b, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead = nil
	}
	return n, nil
}

// readOn reads from the network, outside of the gate.
func (c *conn) readOn(b []byte) (int, error) {
	if c.gate == nil {
		return c.Conn.Read(b)
	}
	c.gate.leave()
	defer c.gate.enter()
	return c.Conn.Read(b)
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

// source returns what the connection counts for.
func (c *conn) source() netip.Addr { return sourceOf(c.remote.Addr()) }

// end closes the connection when its context ends, so that every wait on it does. Nobody is left to be told of an error.
func (c *conn) end() { _ = c.Close() }

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

// Unwrap returns the *tls.Conn once the byte that was looked at has been read, s itself before.
func (s *sniffed) Unwrap() net.Conn {
	if s.read {
		return s.Conn
	}
	return s
}
