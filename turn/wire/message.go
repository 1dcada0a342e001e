package wire

import (
	"encoding/binary"
	"errors"
	"iter"
	"slices"
)

// MaxAttributes bounds the attributes of a message: a CreatePermission with sixteen peers has 21.
const MaxAttributes = 32

// Errors of Message.Parse.
var (
	ErrHeader     = errors.New("not a STUN message: header or magic cookie")                           // RFC 8489 section 5; no answer is due
	ErrLength     = errors.New("the length of the STUN message is not that of its bytes, or too long") // RFC 8489 section 5; no answer is due
	ErrAttribute  = errors.New("a STUN attribute goes beyond its message, or has a length that its type does not have")
	ErrAttributes = errors.New("too many STUN attributes")
	ErrOrder      = errors.New("something follows the FINGERPRINT of a STUN message") // RFC 8489 section 14.7
)

// Message is a STUN message as it was received. It holds views into the bytes that Parse was given and is valid as long as these are; it can be used again and
// again. Its methods but Parse may be called concurrently. The zero value is an empty message.
type Message struct {
	Type          uint16 // method and class, see the constants
	TransactionID [12]byte

	raw       []byte
	n         int // attributes that are seen
	integrity int // where the header of MESSAGE-INTEGRITY begins, 0: none
	attrs     [MaxAttributes]attribute
}

// attribute is one that is seen: its type, and where its value lies in raw.
type attribute struct{ typ, at, size uint16 }

// Parse reads one message that fills b, at most MaxFrame bytes. Every attribute lies inside of it, the last one ends where it ends, and those whose length RFC 8489
// and RFC 8656 fix and that are read without looking (addresses, MESSAGE-INTEGRITY, FINGERPRINT) have that length. After an error the message is empty.
func (m *Message) Parse(b []byte) error {
	m.raw, m.n, m.integrity, m.Type, m.TransactionID = nil, 0, 0, 0, [12]byte{}
	if len(b) < headerSize || KindOf(b[0]) != STUN || binary.BigEndian.Uint32(b[4:]) != cookie {
		return ErrHeader
	}
	if size := int(binary.BigEndian.Uint16(b[2:])); size != len(b)-headerSize || size%4 != 0 || len(b) > MaxFrame {
		return ErrLength
	}
	if err := m.walk(b); err != nil {
		m.n, m.integrity = 0, 0
		return err
	}
	m.raw, m.Type, m.TransactionID = b, binary.BigEndian.Uint16(b), [12]byte(b[8:headerSize])
	return nil
}

// walk finds the attributes. What follows MESSAGE-INTEGRITY is checked but not seen, as nobody signed it; FINGERPRINT alone is (RFC 8489 section 14.5).
func (m *Message) walk(b []byte) error {
	for at, count := headerSize, 0; at < len(b); count++ {
		// The length of a message is a multiple of 4, so an attribute's header is always there.
		typ, size := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		value := at + 4
		end := value + size + Padding(size)
		switch {
		case count == MaxAttributes:
			return ErrAttributes
		case end > len(b) || !fits(typ, size):
			return ErrAttribute
		case typ == AttrFingerprint && end != len(b):
			return ErrOrder
		}
		if m.integrity == 0 || typ == AttrFingerprint {
			m.attrs[m.n] = attribute{typ, uint16(value), uint16(size)}
			m.n++
		}
		if typ == AttrMessageIntegrity && m.integrity == 0 {
			m.integrity = at
		}
		at = end
	}
	return nil
}

// fits tells whether an attribute may have this length.
func fits(typ uint16, size int) bool {
	switch typ {
	case AttrXORPeerAddress, AttrXORRelayedAddress, AttrXORMappedAddress:
		return size == 8 || size == 20
	case AttrMessageIntegrity:
		return size == integritySize
	case AttrFingerprint:
		return size == 4
	}
	return true
}

// Get returns the value of the first attribute of a type; others of the same type do not count (RFC 8489 section 14).
func (m *Message) Get(attr uint16) (value []byte, ok bool) {
	for i := range m.attrs[:m.n] {
		if m.attrs[i].typ == attr {
			return m.value(i), true
		}
	}
	return nil, false
}

// All returns the values of all attributes of a type, in their order.
func (m *Message) All(attr uint16) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range m.attrs[:m.n] {
			if m.attrs[i].typ == attr && !yield(m.value(i)) {
				return
			}
		}
	}
}

// Unknown appends the attributes that must be understood and are not, each once: RFC 8489 section 6.3.1. There are none in most messages.
func (m *Message) Unknown(dst []uint16) []uint16 {
	for i := range m.attrs[:m.n] {
		if typ := m.attrs[i].typ; !known(typ) && !slices.Contains(dst, typ) {
			dst = append(dst, typ)
		}
	}
	return dst
}

func (m *Message) value(i int) []byte {
	a := m.attrs[i]
	return m.raw[a.at : a.at+a.size : a.at+a.size]
}
