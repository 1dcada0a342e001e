// Package rawturn is a STUN and TURN client that writes right messages and deliberately wrong ones. It shares nothing with the server: it is what the server is judged by.
package rawturn

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
)

// Types of messages (RFC 8489 section 18.2, RFC 8656 section 18).
const (
	Binding          = 0x0001
	Allocate         = 0x0003
	Refresh          = 0x0004
	CreatePermission = 0x0008
	ChannelBind      = 0x0009
	SendIndication   = 0x0016
	DataIndication   = 0x0017

	success = 0x0100 // added to a request's type
	failure = 0x0110
)

// Attributes (RFC 8489 section 18.3, RFC 8656 section 18).
const (
	Username           = 0x0006
	Integrity          = 0x0008
	ErrorCode          = 0x0009
	UnknownAttributes  = 0x000A
	ChannelNumber      = 0x000C
	Lifetime           = 0x000D
	XORPeer            = 0x0012
	Data               = 0x0013
	Realm              = 0x0014
	Nonce              = 0x0015
	XORRelayed         = 0x0016
	AddressFamily      = 0x0017
	EvenPort           = 0x0018
	RequestedTransport = 0x0019
	DontFragment       = 0x001A
	XORMapped          = 0x0020
	ReservationToken   = 0x0022
	AdditionalFamily   = 0x8000
	Software           = 0x8022
	Fingerprint        = 0x8028
)

const (
	headerLen      = 20
	cookie         = 0x2112A442
	fingerprintXOR = 0x5354554e
	integrityLen   = sha1.Size
)

// Attr is one attribute of a message. One that Peer made is written when the transaction id is known.
type Attr struct {
	Type  uint16
	Value []byte

	addr netip.AddrPort // valid: the value, not yet hidden
}

// Bytes returns an attribute with these bytes.
func Bytes(t uint16, value ...byte) Attr { return Attr{Type: t, Value: value} }

// Text returns an attribute with this text.
func Text(t uint16, value string) Attr { return Attr{Type: t, Value: []byte(value)} }

// Uint32 returns an attribute of four bytes.
func Uint32(t uint16, value uint32) Attr {
	return Attr{Type: t, Value: binary.BigEndian.AppendUint32(nil, value)}
}

// Transport returns REQUESTED-TRANSPORT for a protocol number: 17 is UDP.
func Transport(protocol byte) Attr { return Bytes(RequestedTransport, protocol, 0, 0, 0) }

// Channel returns CHANNEL-NUMBER.
func Channel(number uint16) Attr { return Uint32(ChannelNumber, uint32(number)<<16) }

// Peer returns XOR-PEER-ADDRESS. An IPv4 address in an IPv6 spelling keeps that spelling.
func Peer(addr netip.AddrPort) Attr { return Attr{Type: XORPeer, addr: addr} }

// PeerIP returns XOR-PEER-ADDRESS without a port, as permissions have it.
func PeerIP(addr string) Attr { return Peer(netip.AddrPortFrom(netip.MustParseAddr(addr), 0)) }

// Message is a STUN message.
type Message struct {
	Type  uint16
	TID   [12]byte // transaction id
	Attrs []Attr

	raw []byte // of a parsed message
}

// New returns a message with a transaction id of its own.
func New(t uint16, attrs ...Attr) *Message {
	m := &Message{Type: t, Attrs: attrs}
	_, _ = rand.Read(m.TID[:]) // never fails
	return m
}

// Encode returns the message's bytes.
func (m *Message) Encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, m.Type)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint32(b, cookie)
	b = append(b, m.TID[:]...)
	for _, a := range m.Attrs {
		b = appendAttr(b, a, m.TID)
	}
	return setLength(b, len(b)-headerLen)
}

func appendAttr(b []byte, a Attr, tid [12]byte) []byte {
	value := a.Value
	if a.addr.IsValid() {
		value = hide(a.addr, tid)
	}
	b = binary.BigEndian.AppendUint16(b, a.Type)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

func setLength(b []byte, n int) []byte {
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	return b
}

// Sign appends MESSAGE-INTEGRITY to an encoded message (RFC 8489 section 14.5).
func Sign(b, key []byte) []byte {
	mac := sum(setLength(bytes.Clone(b), len(b)-headerLen+4+integrityLen), key)
	b = appendAttr(b, Attr{Type: Integrity, Value: mac}, [12]byte{})
	return setLength(b, len(b)-headerLen)
}

func sum(b, key []byte) []byte {
	h := hmac.New(sha1.New, key)
	h.Write(b)
	return h.Sum(nil)
}

// AddFingerprint appends FINGERPRINT to an encoded message (RFC 8489 section 14.7).
func AddFingerprint(b []byte) []byte {
	b = setLength(bytes.Clone(b), len(b)-headerLen+8)
	return appendAttr(b, Uint32(Fingerprint, crc32.ChecksumIEEE(b)^fingerprintXOR), [12]byte{})
}

// Append appends an attribute to an encoded message, behind MESSAGE-INTEGRITY as well.
func Append(b []byte, a Attr) []byte {
	var tid [12]byte
	copy(tid[:], b[8:])
	b = appendAttr(bytes.Clone(b), a, tid)
	return setLength(b, len(b)-headerLen)
}

// ChannelData returns a ChannelData message, padded as streams want it if so.
func ChannelData(number uint16, payload []byte, padded bool) []byte {
	b := binary.BigEndian.AppendUint16(nil, number)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, payload...)
	if padded {
		b = append(b, make([]byte, -len(payload)&3)...)
	}
	return b
}

// hide returns an address as XOR-PEER-ADDRESS has it (RFC 8489 section 14.2).
func hide(a netip.AddrPort, tid [12]byte) []byte {
	family, ip := byte(2), a.Addr().AsSlice()
	if a.Addr().Is4() {
		family = 1
	}
	mask := append(binary.BigEndian.AppendUint32(nil, cookie), tid[:]...)
	for i := range ip {
		ip[i] ^= mask[i]
	}
	return append(binary.BigEndian.AppendUint16([]byte{0, family}, a.Port()^cookie>>16), ip...)
}

// Parse reads what a server sent, and is strict about it: whatever a client could stumble over is an error.
func Parse(b []byte) (*Message, error) {
	if len(b) < headerLen || b[0]&0xC0 != 0 || binary.BigEndian.Uint32(b[4:]) != cookie || int(binary.BigEndian.Uint16(b[2:])) != len(b)-headerLen {
		return nil, fmt.Errorf("no STUN message: %x", b)
	}
	m := &Message{Type: binary.BigEndian.Uint16(b), raw: bytes.Clone(b)}
	copy(m.TID[:], b[8:])
	for rest := m.raw[headerLen:]; len(rest) > 0; {
		if len(rest) < 4 {
			return nil, fmt.Errorf("half an attribute: %x", b)
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		padded := 4 + (n+3)&^3
		if padded > len(rest) {
			return nil, fmt.Errorf("an attribute beyond the end: %x", b)
		}
		m.Attrs = append(m.Attrs, Attr{Type: binary.BigEndian.Uint16(rest), Value: rest[4 : 4+n]})
		rest = rest[padded:]
	}
	return m, m.checkFingerprint()
}

func (m *Message) checkFingerprint() error {
	sent, ok := m.Get(Fingerprint)
	if !ok {
		return nil
	}
	n := len(m.raw) - 8
	if len(sent) != 4 || crc32.ChecksumIEEE(m.raw[:n])^fingerprintXOR != binary.BigEndian.Uint32(sent) {
		return errors.New("a wrong FINGERPRINT")
	}
	return nil
}

// Get returns the first attribute of a type.
func (m *Message) Get(t uint16) (value []byte, ok bool) {
	for _, a := range m.Attrs {
		if a.Type == t {
			return a.Value, true
		}
	}
	return nil, false
}

// Success reports whether it is a success response.
func (m *Message) Success() bool { return m.Type&failure == success }

// Code returns the code of an error response: 0 for any other message, -1 for one that has none.
func (m *Message) Code() int {
	v, ok := m.Get(ErrorCode)
	switch {
	case m.Type&failure != failure:
		return 0
	case !ok || len(v) < 4:
		return -1
	}
	return int(v[2])*100 + int(v[3])
}

// Len returns the size in bytes of a message that was received.
func (m *Message) Len() int { return len(m.raw) }

// Addr returns an address attribute of a message that was received; it is not valid if there is none.
func (m *Message) Addr(t uint16) netip.AddrPort {
	v, ok := m.Get(t)
	if !ok || len(v) != 8 && len(v) != 20 {
		return netip.AddrPort{}
	}
	mask := append(binary.BigEndian.AppendUint32(nil, cookie), m.TID[:]...)
	ip := bytes.Clone(v[4:])
	for i := range ip {
		ip[i] ^= mask[i]
	}
	a, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(v[2:])^cookie>>16)
}

// Uint32 returns an attribute of four bytes, or 0.
func (m *Message) Uint32(t uint16) uint32 {
	v, ok := m.Get(t)
	if !ok || len(v) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(v)
}

// SignedBy reports whether a message that was received has a MESSAGE-INTEGRITY by this key.
func (m *Message) SignedBy(key []byte) bool {
	n := headerLen
	for _, a := range m.Attrs {
		if a.Type == Integrity {
			return hmac.Equal(a.Value, sum(setLength(bytes.Clone(m.raw[:n]), n-headerLen+4+integrityLen), key))
		}
		n += 4 + (len(a.Value)+3)&^3
	}
	return false
}

// Key returns the key of long-term credentials (RFC 8489 section 9.2.2).
func Key(username, realm, password string) []byte {
	k := md5.Sum([]byte(username + ":" + realm + ":" + password))
	return k[:]
}
