package rawturn

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Key is the key of the client's account in the realm that the server named.
func (c *Client) Key() []byte { return Key(c.Account.Username, c.Realm, c.Account.Password) }

// Signed returns a request with the client's name, realm, nonce and integrity behind its attributes.
func (c *Client) Signed(m *Message) []byte {
	full := Message{Type: m.Type, TID: m.TID, Attrs: append(append([]Attr{}, m.Attrs...),
		Text(Username, c.Account.Username), Text(Realm, c.Realm), Text(Nonce, c.Nonce))}
	return Sign(full.Encode(), c.Key())
}

// Greet asks for an allocation without credentials, which tells realm and nonce.
func (c *Client) Greet() error {
	m, err := c.Ask(New(Allocate, Transport(17)).Encode(), Patience)
	if err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	if m.Code() != 401 || c.Nonce == "" || c.Realm == "" {
		return fmt.Errorf("greet: got %s with nonce %q and realm %q, want 401", Word(m, nil), c.Nonce, c.Realm)
	}
	return nil
}

// Do signs a request and returns the answer. An answer of success must be signed with the same key.
func (c *Client) Do(t uint16, attrs ...Attr) (*Message, error) {
	return c.DoIn(Patience, t, attrs...)
}

// DoIn is Do with a time to wait.
func (c *Client) DoIn(wait time.Duration, t uint16, attrs ...Attr) (*Message, error) {
	m, err := c.Ask(c.Signed(New(t, attrs...)), wait)
	if err == nil && m.Success() && !m.SignedBy(c.Key()) {
		return nil, fmt.Errorf("the answer to 0x%04x is not signed with the account's key", t)
	}
	return m, err
}

// Allocate greets the server and makes an allocation.
func (c *Client) Allocate(a Account, attrs ...Attr) (relayed netip.AddrPort, err error) {
	c.Account = a
	if err := c.Greet(); err != nil {
		return relayed, err
	}
	m, err := c.Do(Allocate, append([]Attr{Transport(17)}, attrs...)...)
	if err != nil || !m.Success() {
		return relayed, fmt.Errorf("allocate: %s", Word(m, err))
	}
	if relayed = m.Addr(XORRelayed); !relayed.IsValid() || relayed.Port() == 0 {
		return relayed, fmt.Errorf("allocate: the relayed address is %v", relayed)
	}
	if got := m.Addr(XORMapped); got != c.LocalAddrPort() {
		return relayed, fmt.Errorf("allocate: the mapped address is %v, want %v", got, c.LocalAddrPort())
	}
	return relayed, nil
}

// Permit asks for a permission.
func (c *Client) Permit(peer netip.Addr) error {
	m, err := c.Do(CreatePermission, Peer(netip.AddrPortFrom(peer, 0)))
	return wantSuccess("permit", m, err)
}

// Bind binds a channel.
func (c *Client) Bind(number uint16, peer netip.AddrPort) error {
	m, err := c.Do(ChannelBind, Channel(number), Peer(peer))
	return wantSuccess("bind", m, err)
}

func wantSuccess(what string, m *Message, err error) error {
	if err != nil || !m.Success() {
		return fmt.Errorf("%s: %s", what, Word(m, err))
	}
	return nil
}

// SendTo writes a Send indication.
func (c *Client) SendTo(peer netip.AddrPort, payload []byte) error {
	_, err := c.Write(New(SendIndication, Peer(peer), Attr{Type: Data, Value: payload}).Encode())
	return err
}

// SendOn writes ChannelData.
func (c *Client) SendOn(number uint16, payload []byte) error {
	_, err := c.Write(ChannelData(number, payload, c.stream))
	return err
}

// Payload returns the payload of what came from a peer next, by a channel or in an indication, and ErrSilence if nothing does in time.
func (c *Client) Payload(wait time.Duration) ([]byte, error) {
	for until := time.Now().Add(wait); ; {
		p, err := c.Next(time.Until(until))
		switch {
		case err != nil:
			return nil, err
		case p.Message == nil:
			return p.Payload, nil
		case p.Message.Type == DataIndication:
			data, _ := p.Message.Get(Data)
			return data, nil
		}
	}
}

// Word returns an outcome as a word: success, silence, closed, the code of an error, or "error without code".
func Word(m *Message, err error) string {
	switch {
	case err != nil:
		return word(err)
	case m.Success():
		return "success"
	case m.Code() < 0:
		return "error without code"
	}
	return fmt.Sprint(m.Code())
}

func word(err error) string {
	switch {
	case errors.Is(err, ErrSilence):
		return "silence"
	case errors.Is(err, ErrClosed):
		return "closed"
	}
	return err.Error()
}
