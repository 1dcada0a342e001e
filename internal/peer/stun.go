package peer

import (
	"encoding/binary"
	"net"
	"strconv"
)

// What is read of STUN and TURN here (RFC 8489 section 5, RFC 8656 sections 11 and 12).
const (
	stunHeader      = 20
	stunCookie      = 0x2112A442
	allocateRequest = 0x0003
	allocateSuccess = 0x0103
	allocateError   = 0x0113

	attrUsername   = 0x0006
	attrErrorCode  = 0x0009
	attrXORPeer    = 0x0012
	attrXORRelayed = 0x0016
	attrXORMapped  = 0x0020
	attrMapped     = 0x0001
)

// isSTUN reports whether a packet is a STUN message, right or wrong.
func isSTUN(b []byte) bool {
	return len(b) >= stunHeader && b[0]&0xC0 == 0 && binary.BigEndian.Uint32(b[4:]) == stunCookie
}

func stunType(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

// attributes calls f for each attribute of a STUN message until f returns false, and returns false then and where the attributes do not fill the message.
func attributes(b []byte, f func(kind uint16, value []byte) bool) bool {
	rest := b[stunHeader:]
	if int(binary.BigEndian.Uint16(b[2:])) != len(rest) {
		return false
	}
	for len(rest) > 0 {
		if len(rest) < 4 {
			return false
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		padded := 4 + (n+3)&^3
		if padded > len(rest) || !f(binary.BigEndian.Uint16(rest), rest[4:4+n]) {
			return false
		}
		rest = rest[padded:]
	}
	return true
}

// sound reports whether a STUN message can be handed to the library, which ends the program over an address attribute that is too short.
func sound(b []byte) bool {
	return attributes(b, func(kind uint16, value []byte) bool {
		switch kind {
		case attrMapped, attrXORPeer, attrXORRelayed, attrXORMapped:
			return len(value) == 8 && value[1] == 1 || len(value) == 20 && value[1] == 2
		}
		return true
	})
}

// hasUsername reports whether a message says who asks, so that its answer is final.
func hasUsername(b []byte) (has bool) {
	attributes(b, func(kind uint16, _ []byte) bool {
		has = has || kind == attrUsername
		return true
	})
	return has
}

// errorOf returns the code of an error response, or 0.
func errorOf(b []byte) (code int) {
	attributes(b, func(kind uint16, value []byte) bool {
		if kind == attrErrorCode && len(value) >= 4 {
			code = int(value[2]&7)*100 + int(value[3])
		}
		return true
	})
	return code
}

// relayedIn returns host:port of XOR-RELAYED-ADDRESS, or nothing.
func relayedIn(b []byte) (address string) {
	attributes(b, func(kind uint16, value []byte) bool {
		if kind == attrXORRelayed {
			ip := make(net.IP, len(value)-4)
			for i := range ip { // the cookie, and behind it the transaction id
				ip[i] = value[4+i] ^ b[4+i]
			}
			port := binary.BigEndian.Uint16(value[2:]) ^ stunCookie>>16
			address = net.JoinHostPort(ip.String(), strconv.Itoa(int(port)))
		}
		return true
	})
	return address
}
