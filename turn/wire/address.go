package wire

import (
	"encoding/binary"
	"net/netip"
)

// Addr decodes the value of an XOR-…-ADDRESS attribute of this message (RFC 8489 section 14.2); not ok if family and length do not fit each other.
// An IPv6 attribute keeps its family, also with an IPv4-mapped address inside.
func (m *Message) Addr(value []byte) (netip.AddrPort, bool) {
	return decodeAddr(value, m.TransactionID)
}

func decodeAddr(value []byte, tid [12]byte) (netip.AddrPort, bool) {
	if len(value) != 8 && len(value) != 20 {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(value[2:]) ^ cookie>>16
	mask := addressMask(tid)
	switch family := value[1]; {
	case family == FamilyIPv4 && len(value) == 8:
		a := [4]byte(value[4:])
		for i := range a {
			a[i] ^= mask[i]
		}
		return netip.AddrPortFrom(netip.AddrFrom4(a), port), true
	case family == FamilyIPv6 && len(value) == 20:
		a := [16]byte(value[4:])
		for i := range a {
			a[i] ^= mask[i]
		}
		return netip.AddrPortFrom(netip.AddrFrom16(a), port), true
	}
	return netip.AddrPort{}, false
}

// appendAddr appends the value of an XOR-…-ADDRESS attribute: 8 bytes for an IPv4 address, else 20.
func appendAddr(b []byte, a netip.AddrPort, tid [12]byte) []byte {
	family := byte(FamilyIPv6)
	if a.Addr().Is4() {
		family = FamilyIPv4
	}
	b = append(b, 0, family)
	b = binary.BigEndian.AppendUint16(b, a.Port()^cookie>>16)
	mask, at := addressMask(tid), len(b)
	if family == FamilyIPv4 {
		ip := a.Addr().As4()
		b = append(b, ip[:]...)
	} else {
		ip := a.Addr().As16()
		b = append(b, ip[:]...)
	}
	for i := range b[at:] {
		b[at+i] ^= mask[i]
	}
	return b
}

// addressMask is the magic cookie and the transaction id, with which addresses are combined.
func addressMask(tid [12]byte) (mask [16]byte) {
	binary.BigEndian.PutUint32(mask[:], cookie)
	copy(mask[4:], tid[:])
	return mask
}
