package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"net/netip"
)

// Message types and attributes of STUN and TURN (RFC 8489 section 18, RFC 8656 sections 17 and 18).
const (
	allocateRequest   = 0x0003
	permissionRequest = 0x0008
	bindRequest       = 0x0009
	sendIndication    = 0x0016
	dataIndication    = 0x0017
	classMask         = 0x0110
	classSuccess      = 0x0100

	attrUsername           = 0x0006
	attrIntegrity          = 0x0008
	attrError              = 0x0009
	attrChannel            = 0x000C
	attrPeer               = 0x0012
	attrData               = 0x0013
	attrRealm              = 0x0014
	attrNonce              = 0x0015
	attrRelayed            = 0x0016
	attrRequestedTransport = 0x0019
)

const (
	cookie    = 0x2112A442
	headerLen = 20
)

// begin starts a message with a fresh transaction id.
func begin(kind uint16) []byte {
	b := make([]byte, headerLen, 256)
	binary.BigEndian.PutUint16(b, kind)
	binary.BigEndian.PutUint32(b[4:], cookie)
	_, _ = rand.Read(b[8:headerLen]) // never fails
	return b
}

// add appends an attribute and counts it in the header.
func add(b []byte, attr uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, attr)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	b = append(b, make([]byte, -len(value)&3)...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerLen))
	return b
}

// sign appends MESSAGE-INTEGRITY (RFC 8489 section 14.5), whose own length the sum covers.
func sign(b, key []byte) []byte {
	b = add(b, attrIntegrity, make([]byte, sha1.Size))
	at := len(b) - sha1.Size
	sum := hmac.New(sha1.New, key)
	sum.Write(b[:at-4])
	copy(b[at:], sum.Sum(nil))
	return b
}

// address writes an address as XOR attributes have it (RFC 8489 section 14.2), for IPv4.
func address(a netip.AddrPort) []byte {
	b := make([]byte, 8)
	b[1] = 1
	binary.BigEndian.PutUint16(b[2:], a.Port()^cookie>>16)
	ip := a.Addr().As4()
	binary.BigEndian.PutUint32(b[4:], binary.BigEndian.Uint32(ip[:])^cookie)
	return b
}

// parseAddress reads what address writes.
func parseAddress(b []byte) (netip.AddrPort, bool) {
	if len(b) != 8 || b[1] != 1 {
		return netip.AddrPort{}, false
	}
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], binary.BigEndian.Uint32(b[4:])^cookie)
	return netip.AddrPortFrom(netip.AddrFrom4(ip), binary.BigEndian.Uint16(b[2:])^cookie>>16), true
}

// isMessage reports whether b is a whole STUN message.
func isMessage(b []byte) bool {
	return len(b) >= headerLen && b[0]>>6 == 0 && binary.BigEndian.Uint32(b[4:]) == cookie && int(binary.BigEndian.Uint16(b[2:])) == len(b)-headerLen
}

// attribute returns the value of the first attribute of a kind in a message.
func attribute(b []byte, attr uint16) ([]byte, bool) {
	for b = b[headerLen:]; len(b) >= 4; {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if 4+n > len(b) {
			break
		}
		if binary.BigEndian.Uint16(b) == attr {
			return b[4 : 4+n], true
		}
		b = b[min(len(b), 4+(n+3)&^3):]
	}
	return nil, false
}

// errorCode is that of an error response (RFC 8489 section 14.8), 0 if it has none.
func errorCode(b []byte) int {
	v, ok := attribute(b, attrError)
	if !ok || len(v) < 4 {
		return 0
	}
	return int(v[2]&7)*100 + int(v[3])
}

// channelData wraps a payload, padded as streams need it (RFC 8656 section 12.5).
func channelData(number uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 4+len(payload)+3), number)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, payload...)
	return append(b, make([]byte, -len(payload)&3)...)
}

// payload is what ChannelData or a Data indication carries.
func payload(b []byte) ([]byte, bool) {
	switch {
	case len(b) >= 4 && b[0]>>6 == 1:
		n := int(binary.BigEndian.Uint16(b[2:]))
		return b[4:min(len(b), 4+n)], 4+n <= len(b)
	case isMessage(b) && binary.BigEndian.Uint16(b) == dataIndication:
		return attribute(b, attrData)
	}
	return nil, false
}
