package policy

import "net/netip"

// The ranges of IPv6 in which an IPv4 address is written. The local-use NAT64 range (RFC 8215) is not among them: where the address lies in it is known to the
// translator alone, so Policy refuses the whole range.
var (
	compatible = netip.MustParsePrefix("::/96")           // RFC 4291 section 2.5.5.1, but :: and ::1
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // IPv4-translated, RFC 2765 section 2.1
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052 section 2.1
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056 section 2
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380 section 4: the client's address, inverted
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215
)

// Canonical returns the one spelling of an address: the IPv4 address inside of IPv4-mapped, IPv4-compatible, IPv4-translated, NAT64 (64:ff9b::/96), 6to4 and Teredo
// addresses, else the address itself; without zone. Canonical of a canonical address is the same.
func Canonical(a netip.Addr) netip.Addr {
	if a = a.WithZone("").Unmap(); !a.Is6() {
		return a
	}
	b := a.As16()
	if b[0] != 0 && b[0] != 0x20 { // nothing below begins otherwise: the way of nearly all addresses is short
		return a
	}
	switch {
	case compatible.Contains(a) && !a.IsUnspecified() && !a.IsLoopback(), translated.Contains(a), nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:]))
	case teredo.Contains(a):
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
	}
	return a
}
