package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"signalbox/tests/turnbench/wire"
)

const (
	channel       = 0x4000 // that every client binds to its peer
	maxFrame      = 2048   // more than anything that comes
	streamTimeout = 10 * time.Second
	resendAfter   = 500 * time.Millisecond // of a request over UDP, doubling
	resends       = 4
	streamBuffer  = 64 << 10
	socketBuffer  = 4 << 20 // asked of the kernel, which may allow less
)

// client is one TURN client. Requests are made by one goroutine, and by none once packets flow.
type client struct {
	conn   net.Conn
	frames *bufio.Reader // of a stream; nil on UDP
	user   wire.Credential

	realm, nonce, key []byte // key: nil until the server asked for a login
	relayed           netip.AddrPort
}

// dial connects to a server and sends nothing.
func (s settings) dial(ctx context.Context, o wire.Order, user wire.Credential) (*client, error) {
	c := &client{user: user}
	if o.Transport == wire.UDP {
		conn, err := net.Dial("udp", o.Server)
		if err != nil {
			return nil, err
		}
		c.conn = conn
		return c, conn.(*net.UDPConn).SetReadBuffer(socketBuffer)
	}
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: streamTimeout}, Config: s.tls}
	conn, err := d.DialContext(ctx, "tcp", o.Server)
	if err != nil {
		return nil, err
	}
	c.conn, c.frames = conn, bufio.NewReaderSize(conn, streamBuffer)
	return c, nil
}

// allocate makes an allocation for UDP and keeps its relayed address.
func (c *client) allocate() error {
	answer, err := c.request(allocateRequest, attr{attrRequestedTransport, []byte{17, 0, 0, 0}})
	if err != nil {
		return fmt.Errorf("allocate: %w", err)
	}
	value, _ := attribute(answer, attrRelayed)
	var ok bool
	if c.relayed, ok = parseAddress(value); !ok {
		return fmt.Errorf("allocate: the answer has the relayed address %x", value)
	}
	return nil
}

func (c *client) permit(peer netip.AddrPort) error {
	_, err := c.request(permissionRequest, attr{attrPeer, address(peer)})
	return wrap("create permission", err)
}

func (c *client) bind(peer netip.AddrPort) error {
	_, err := c.request(bindRequest, attr{attrChannel, []byte{channel >> 8, channel & 0xFF, 0, 0}}, attr{attrPeer, address(peer)})
	return wrap("bind a channel", err)
}

func wrap(what string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return err
}

// attr is one attribute of a request.
type attr struct {
	kind  uint16
	value []byte
}

// request asks until the answer is a success, and logs in when the server wants that (RFC 8489 section 9.2).
func (c *client) request(kind uint16, attrs ...attr) ([]byte, error) {
	const challenges = 2 // one without a login, one for a nonce that has just become stale
	for asked := 0; ; asked++ {
		b := begin(kind)
		for _, a := range attrs {
			b = add(b, a.kind, a.value)
		}
		if c.key != nil {
			b = add(add(add(b, attrUsername, []byte(c.user.Username)), attrRealm, c.realm), attrNonce, c.nonce)
			b = sign(b, c.key)
		}
		answer, err := c.exchange(b)
		if err != nil {
			return nil, err
		}
		if binary.BigEndian.Uint16(answer)&classMask == classSuccess {
			return answer, nil
		}
		if code := errorCode(answer); code != 401 && code != 438 || asked == challenges {
			return nil, fmt.Errorf("the server answers %d", code)
		}
		c.challenged(answer)
	}
}

// challenged takes realm and nonce of an answer.
func (c *client) challenged(answer []byte) {
	realm, _ := attribute(answer, attrRealm)
	nonce, _ := attribute(answer, attrNonce)
	c.realm, c.nonce = bytes.Clone(realm), bytes.Clone(nonce)
	key := md5.Sum(fmt.Appendf(nil, "%s:%s:%s", c.user.Username, c.realm, c.user.Password))
	c.key = key[:]
}

// exchange sends a request, over UDP again and again, and waits for its answer.
func (c *client) exchange(request []byte) (answer []byte, err error) {
	wait, tries := streamTimeout, 1
	if c.frames == nil {
		wait, tries = resendAfter, resends
	}
	for range tries {
		if _, err := c.conn.Write(request); err != nil {
			return nil, err
		}
		if err := c.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return nil, err
		}
		answer, err = c.answer(request[8:headerLen])
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		wait *= 2
	}
	return answer, errors.Join(err, c.conn.SetReadDeadline(time.Time{}))
}

// answer reads until the answer to a transaction comes; whatever else comes is none of ours.
func (c *client) answer(id []byte) ([]byte, error) {
	buf := make([]byte, maxFrame)
	for {
		b, err := c.read(buf)
		if err != nil {
			return nil, err
		}
		if isMessage(b) && bytes.Equal(b[8:headerLen], id) {
			return b, nil
		}
	}
}

// read returns the next datagram or frame.
func (c *client) read(buf []byte) ([]byte, error) {
	if c.frames == nil {
		n, err := c.conn.Read(buf)
		return buf[:n], err
	}
	head, err := c.frames.Peek(4)
	if err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[2:]))
	if head[0]>>6 == 0 {
		n += headerLen
	} else {
		n = (4 + n + 3) &^ 3
	}
	if n > len(buf) {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	_, err = io.ReadFull(c.frames, buf[:n])
	return buf[:n], err
}
