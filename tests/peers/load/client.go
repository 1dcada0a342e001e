package main

import (
	"crypto/tls"
	"net"
	"strconv"
	"sync/atomic"
)

// client is one session.
type client struct {
	fleet *fleet
	n     int
	conn  *tls.Conn
	raw   *net.TCPConn
	open  atomic.Bool

	// owned by the reader
	managed  bool
	received uint32 // stanzas, for XEP-0198
	got      atomic.Bool
	next     int // sequence number that must come
}

// firstRead is what an idle session has for reading.
const firstRead = 512

func (c *client) address() string { return userName(c.n) + "@" + c.fleet.set.domain + "/" + resource }

func (c *client) write(s []byte) error {
	_, err := c.conn.Write(s)
	return err
}

// read takes what the server sends until the connection is over. It begins with what came behind the login.
func (c *client) read(ahead []byte) {
	defer c.open.Store(false)
	buf := make([]byte, max(firstRead, len(ahead)))
	n := copy(buf, ahead)
	for {
		used, ok := c.take(buf[:n])
		if !ok {
			return
		}
		n = copy(buf, buf[used:n])
		if n == len(buf) {
			grown := make([]byte, 2*len(buf))
			copy(grown, buf)
			buf = grown
		}
		m, err := c.conn.Read(buf[n:])
		n += m
		if err != nil {
			return
		}
	}
}

// take handles the complete items in b; it is false when the server ended the stream.
func (c *client) take(b []byte) (used int, ok bool) {
	for {
		what, item, n := split(b[used:])
		used += n
		switch what {
		case none:
			return used, true
		case ended:
			return used, false
		case message, iq, presence:
			c.received++
			if h := c.fleet.handler.Load(); h != nil {
				(*h)(c, what, item)
			}
		case other:
			if c.managed && len(item) > 2 && string(item[:2]) == "<r" {
				_ = c.acknowledge() // the reader sees a lost connection
			}
		}
	}
}

func (c *client) acknowledge() error {
	b := append(make([]byte, 0, 64), "<a xmlns='urn:xmpp:sm:3' h='"...)
	b = strconv.AppendUint(b, uint64(c.received), 10)
	return c.write(append(b, "'/>"...))
}
