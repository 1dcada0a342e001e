package rawturn

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

// Errors of a client that waits.
var (
	ErrSilence = errors.New("no answer")
	ErrClosed  = errors.New("closed")
)

// Patience is how long an answer may take; only what fails waits it out. Silence says how long nothing may come before it counts as silence.
const (
	Patience = 20 * time.Second
	Silence  = 300 * time.Millisecond
)

// Server is where a client connects.
type Server struct {
	Network string      // udp, tcp or tls
	Addr    string      // host:port
	TLS     *tls.Config // for tls
	Local   netip.Addr  // of the client; the zero value: any
}

// Client is one 5-tuple. It must not be used concurrently, but Write may be called beside all else.
type Client struct {
	net.Conn
	stream  bool
	buf     []byte   // of a stream: what no frame was made of yet
	inbox   []Packet // that came while another was waited for
	Realm   string   // of the last 401 or 438
	Nonce   string   // of the same
	Account Account  // by which Do signs
}

// Account is a long-term credential.
type Account struct{ Username, Password string }

// Packet is what a server sent: a message, or the payload of a channel.
type Packet struct {
	Message *Message // nil: ChannelData
	Channel uint16
	Payload []byte
}

// Dial connects.
func Dial(ctx context.Context, s Server) (*Client, error) {
	network, d := "tcp", net.Dialer{Timeout: Patience}
	if s.Network == "udp" {
		network = "udp"
	}
	if s.Local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.Local, 0))
		if network == "udp" {
			d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.Local, 0))
		}
	}
	conn, err := d.DialContext(ctx, network, s.Addr)
	if err != nil {
		return nil, err
	}
	if s.Network == "tls" {
		secured := tls.Client(conn, s.TLS)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = secured
	}
	return &Client{Conn: conn, stream: network == "tcp"}, nil
}

// LocalAddrPort is the client's own address.
func (c *Client) LocalAddrPort() netip.AddrPort {
	return netip.MustParseAddrPort(c.LocalAddr().String())
}

// Next returns what comes next from the server, or ErrSilence if nothing does in time, or ErrClosed.
func (c *Client) Next(wait time.Duration) (Packet, error) {
	if len(c.inbox) > 0 {
		p := c.inbox[0]
		c.inbox = c.inbox[1:]
		return p, nil
	}
	return c.receive(time.Now().Add(wait))
}

func (c *Client) receive(until time.Time) (Packet, error) {
	frame, err := c.frame(until)
	switch {
	case err != nil:
		return Packet{}, err
	case len(frame) >= 4 && frame[0]&0xF0 == 0x40:
		n := int(binary.BigEndian.Uint16(frame[2:]))
		if n > len(frame)-4 {
			return Packet{}, fmt.Errorf("ChannelData beyond its datagram: %x", frame)
		}
		return Packet{Channel: binary.BigEndian.Uint16(frame), Payload: frame[4 : 4+n]}, nil
	}
	m, err := Parse(frame)
	return Packet{Message: m}, err
}

// frame reads one datagram, or one frame of a stream.
func (c *Client) frame(until time.Time) ([]byte, error) {
	if err := c.SetReadDeadline(until); err != nil {
		return nil, err
	}
	for {
		if n := frameLen(c.buf); c.stream && n > 0 && len(c.buf) >= n {
			f := c.buf[:n:n]
			c.buf = c.buf[n:]
			return f, nil
		}
		b := make([]byte, 64<<10)
		n, err := c.Read(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, ErrSilence
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrClosed, err)
		case !c.stream:
			return b[:n], nil
		}
		c.buf = append(c.buf, b[:n]...)
	}
}

// frameLen returns how long the first frame in b is, 0 while that is not known.
func frameLen(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if b[0]&0xC0 == 0 {
		return headerLen + n
	}
	return 4 + (n+3)&^3
}

// Ask writes an encoded message and returns the answer with its transaction id. What comes meanwhile waits for Next.
func (c *Client) Ask(b []byte, wait time.Duration) (*Message, error) {
	if _, err := c.Write(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return c.Answer([12]byte(b[8:headerLen]), wait)
}

// Answer returns the answer with this transaction id. What comes meanwhile waits for Next.
func (c *Client) Answer(tid [12]byte, wait time.Duration) (*Message, error) {
	for until := time.Now().Add(wait); ; {
		p, err := c.receive(until)
		switch {
		case err != nil:
			return nil, err
		case p.Message == nil || p.Message.TID != tid || p.Message.Type == DataIndication:
			c.inbox = append(c.inbox, p)
			continue
		}
		if nonce, ok := p.Message.Get(Nonce); ok {
			c.Nonce = string(nonce)
		}
		if realm, ok := p.Message.Get(Realm); ok {
			c.Realm = string(realm)
		}
		return p.Message, nil
	}
}

// AwaitClose reads until the server closes the connection. Whatever it says before is dropped.
func (c *Client) AwaitClose(wait time.Duration) error {
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, c.Conn); errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrSilence
	}
	return nil
}

// Reset ends a stream without a word, by a TCP reset.
func (c *Client) Reset() error {
	conn := c.Conn
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("%T cannot be reset", conn)
	}
	return errors.Join(tcp.SetLinger(0), tcp.Close())
}

// Over returns a client on a connection that is there, a stream.
func Over(c net.Conn) *Client { return &Client{Conn: c, stream: true} }
