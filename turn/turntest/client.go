// Package turntest is a TURN client for tests. It writes each message as it is told, so it can be wrong where a real one cannot.
package turntest

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"signalbox/turn/wire"
)

// Patience is how long an answer may take; only what fails waits it out.
const Patience = 20 * time.Second

// Client is one 5-tuple. It sends one request at a time and is not for concurrent use, but that one goroutine may send data while another receives.
type Client struct {
	net.Conn                    // a datagram socket or a stream
	User, Password string       // of the long-term credential; empty: requests are not signed
	Realm, Nonce   string       // as the server told them last
	Last           wire.Message // the last message; valid until the next frame
	Raw            []byte       // its bytes

	stream bool
	buf    []byte
	held   []Data // that came while an answer was awaited
}

// Dial connects by "udp" or "tcp".
func Dial(network, addr string) (*Client, error) {
	c, err := net.DialTimeout(network, addr, Patience)
	if err != nil {
		return nil, fmt.Errorf("connect a TURN client: %w", err)
	}
	return New(c), nil
}

// New takes over a connected datagram socket, or a stream such as TLS.
func New(c net.Conn) *Client {
	_, datagrams := c.(*net.UDPConn)
	return &Client{Conn: c, stream: !datagrams, buf: make([]byte, 2*wire.MaxFrame)}
}

// As returns the client with a credential.
func (c *Client) As(user, password string) *Client {
	c.User, c.Password = user, password
	return c
}

// Attr adds an attribute to a request.
type Attr func(*wire.Builder)

// Uint32 is an attribute of four bytes.
func Uint32(attr uint16, value uint32) Attr {
	return func(b *wire.Builder) { b.AddUint32(attr, value) }
}

// Bytes is an attribute of any bytes.
func Bytes(attr uint16, value ...byte) Attr { return func(b *wire.Builder) { b.Add(attr, value) } }

// Peer is an XOR-PEER-ADDRESS.
func Peer(a netip.AddrPort) Attr {
	return func(b *wire.Builder) { b.AddAddr(wire.AttrXORPeerAddress, a) }
}

// Transport is the REQUESTED-TRANSPORT that every Allocate needs.
func Transport() Attr { return Uint32(wire.AttrRequestedTransport, wire.TransportUDP<<24) }

// Refused is an error response.
type Refused struct{ Code int }

// Error names the code.
func (r *Refused) Error() string { return fmt.Sprintf("refused with %d", r.Code) }

// Code returns the error code of a refusal; 0: err is nil; -1: it is another error.
func Code(err error) int {
	var r *Refused
	switch {
	case err == nil:
		return 0
	case errors.As(err, &r):
		return r.Code
	}
	return -1
}

// Build returns a request as it would be sent: with user and integrity, if nonce and user are known.
func (c *Client) Build(typ uint16, id [12]byte, attrs ...Attr) []byte {
	var b wire.Builder
	b.Begin(nil, typ, id)
	for _, add := range attrs {
		add(&b)
	}
	if c.User != "" && c.Nonce != "" {
		b.AddString(wire.AttrUsername, c.User)
		b.AddString(wire.AttrRealm, c.Realm)
		b.AddString(wire.AttrNonce, c.Nonce)
		key := wire.LongTermKey(c.User, c.Realm, c.Password)
		b.AddIntegrity(key[:])
	}
	return b.Bytes()
}

// NewID returns a random transaction id.
func NewID() (id [12]byte) {
	rand.Read(id[:]) // never fails, see crypto/rand
	return id
}

// Once sends a request and awaits its answer, which is in Last afterwards. An error response is a *Refused.
func (c *Client) Once(typ uint16, attrs ...Attr) error {
	id := NewID()
	return c.Exchange(c.Build(typ, id, attrs...), id)
}

// Exchange sends the bytes of a request and awaits the answer with this transaction id. Data that comes before it is kept for Receive.
func (c *Client) Exchange(request []byte, id [12]byte) error {
	if _, err := c.Write(request); err != nil {
		return fmt.Errorf("send a request: %w", err)
	}
	for {
		frame, err := c.frame()
		if err != nil {
			return err
		}
		d, err := c.read(frame)
		switch {
		case err != nil:
			return err
		case d.Message == nil || wire.ClassOf(d.Message.Type) == wire.ClassIndication:
			c.held = append(c.held, d.clone())
			continue
		case d.Message.TransactionID != id:
			continue // the answer to an earlier one
		}
		return c.learn()
	}
}

// learn takes realm and nonce out of the last answer.
func (c *Client) learn() error {
	if v, ok := c.Last.Get(wire.AttrNonce); ok {
		c.Nonce = string(v)
	}
	if v, ok := c.Last.Get(wire.AttrRealm); ok {
		c.Realm = string(v)
	}
	if wire.ClassOf(c.Last.Type) != wire.ClassError {
		return nil
	}
	v, ok := c.Last.Get(wire.AttrErrorCode)
	if !ok || len(v) < 4 {
		return errors.New("an error response without an ERROR-CODE")
	}
	return &Refused{int(v[2])*100 + int(v[3])}
}

// Do is Once, and once more where that told a nonce that was not known.
func (c *Client) Do(typ uint16, attrs ...Attr) error {
	known := c.Nonce
	err := c.Once(typ, attrs...)
	if code := Code(err); c.User != "" && c.Nonce != known && (code == wire.CodeUnauthenticated || code == wire.CodeStaleNonce) {
		err = c.Once(typ, attrs...)
	}
	return err
}

// Allocate returns the relayed transport address of a new allocation.
func (c *Client) Allocate(attrs ...Attr) (netip.AddrPort, error) {
	if err := c.Do(wire.TypeAllocateRequest, append([]Attr{Transport()}, attrs...)...); err != nil {
		return netip.AddrPort{}, err
	}
	v, _ := c.Last.Get(wire.AttrXORRelayedAddress)
	relayed, ok := c.Last.Addr(v)
	if !ok {
		return netip.AddrPort{}, errors.New("an Allocate success without XOR-RELAYED-ADDRESS")
	}
	return relayed, nil
}

// Permit opens permissions.
func (c *Client) Permit(peers ...netip.AddrPort) error {
	attrs := make([]Attr, len(peers))
	for i, p := range peers {
		attrs[i] = Peer(p)
	}
	return c.Do(wire.TypeCreatePermissionRequest, attrs...)
}

// Bind binds a channel.
func (c *Client) Bind(channel uint16, peer netip.AddrPort) error {
	return c.Do(wire.TypeChannelBindRequest, Uint32(wire.AttrChannelNumber, uint32(channel)<<16), Peer(peer))
}

// Refresh asks for another lifetime; 0 ends the allocation.
func (c *Client) Refresh(seconds uint32) error {
	return c.Do(wire.TypeRefreshRequest, Uint32(wire.AttrLifetime, seconds))
}

// Send sends data in a Send indication.
func (c *Client) Send(peer netip.AddrPort, data []byte) error {
	var b wire.Builder
	b.Begin(nil, wire.TypeSendIndication, NewID())
	b.AddAddr(wire.AttrXORPeerAddress, peer)
	b.Add(wire.AttrData, data)
	_, err := c.Write(b.Bytes())
	return err
}

// SendChannel sends data on a channel.
func (c *Client) SendChannel(channel uint16, data []byte) error {
	b := append(wire.AppendChannelHeader(nil, channel, len(data)), data...)
	if c.stream {
		b = append(b, make([]byte, wire.Padding(len(data)))...)
	}
	_, err := c.Write(b)
	return err
}

// Data is what a client receives beside answers.
type Data struct {
	Channel uint16         // of ChannelData; 0: it was a Data indication
	Peer    netip.AddrPort // of a Data indication
	Payload []byte
	Message *wire.Message // as which it came; nil for ChannelData. It is Client.Last.
}

func (d Data) clone() Data {
	d.Payload = append([]byte(nil), d.Payload...)
	d.Message = nil
	return d
}

// Receive returns the next data.
func (c *Client) Receive() (Data, error) {
	if len(c.held) > 0 {
		d := c.held[0]
		c.held = c.held[1:]
		return d, nil
	}
	for {
		frame, err := c.frame()
		if err != nil {
			return Data{}, err
		}
		d, err := c.read(frame)
		if err != nil || d.Message == nil || d.Message.Type == wire.TypeDataIndication {
			return d, err
		}
	}
}

// Forget drops data that came before an answer and was not received yet.
func (c *Client) Forget() { c.held = nil }

// read takes a frame apart.
func (c *Client) read(frame []byte) (Data, error) {
	if number, payload, ok := wire.ParseChannelData(frame); ok {
		return Data{Channel: number, Payload: payload}, nil
	}
	if err := c.Last.Parse(frame); err != nil {
		return Data{}, fmt.Errorf("parse what the server sent: %w", err)
	}
	c.Raw = frame
	d := Data{Message: &c.Last}
	if v, ok := c.Last.Get(wire.AttrXORPeerAddress); ok {
		d.Peer, _ = c.Last.Addr(v)
	}
	d.Payload, _ = c.Last.Get(wire.AttrData)
	return d, nil
}

// frame reads one datagram, or one frame of a stream.
func (c *Client) frame() ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		return nil, fmt.Errorf("set a deadline: %w", err)
	}
	if !c.stream {
		n, err := c.Read(c.buf)
		return c.buf[:n], err
	}
	if _, err := io.ReadFull(c.Conn, c.buf[:4]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(c.buf[2:4]))
	switch wire.KindOf(c.buf[0]) {
	case wire.STUN:
		n += 20
	case wire.ChannelData:
		n += 4 + wire.Padding(n)
	default:
		return nil, fmt.Errorf("the server sent a frame that begins with %x", c.buf[:4])
	}
	_, err := io.ReadFull(c.Conn, c.buf[4:n])
	return c.buf[:n], err
}
