package policy

import "net/netip"

// Reason is why a peer is refused; logs, metrics and audit records use it as a name. OK is none.
type Reason string

// Reasons. All but the first three are for what nothing opens.
const (
	OK          Reason = ""
	NotAllowed  Reason = "not_allowed"  // nothing opens it
	Denied      Reason = "denied"       // turn.deny_peers
	Invalid     Reason = "invalid"      // no address at all
	Loopback    Reason = "loopback"     // 127.0.0.0/8, ::1
	Unspecified Reason = "unspecified"  // 0.0.0.0/8, RFC 1122 section 3.2.1.3; ::
	Multicast   Reason = "multicast"    // 224.0.0.0/4, ff00::/8
	Broadcast   Reason = "broadcast"    // 255.255.255.255
	LinkLocal   Reason = "link_local"   // 169.254.0.0/16, fe80::/10
	Metadata    Reason = "metadata"     // where clouds tell machines who they are, with their credentials
	SharedSpace Reason = "shared_space" // 100.64.0.0/10, RFC 6598; open where turn.allow_peers names a range inside of it
	Reserved    Reason = "reserved"     // 240.0.0.0/4, RFC 1112 section 4
	Embedded    Reason = "embedded"     // NAT64 of local use, RFC 8215: some IPv4 address, it cannot be known which; 6to4 and Teredo
	OwnListener Reason = "own_listener" // our listeners and the database
)

// Reasons returns all for which a peer is refused.
func Reasons() []Reason {
	return []Reason{NotAllowed, Denied, Invalid, Loopback, Unspecified, Multicast, Broadcast, LinkLocal, Metadata, SharedSpace, Reserved, Embedded, OwnListener}
}

var (
	sharedSpace = netip.MustParsePrefix("100.64.0.0/10")
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	reserved    = netip.MustParsePrefix("240.0.0.0/4")
	broadcast   = netip.MustParseAddr("255.255.255.255")

	metadata4 = netip.MustParseAddr("169.254.169.254") // AWS, Azure, Google, most others
	alibaba   = netip.MustParseAddr("100.100.100.200") // Alibaba Cloud
	azure     = netip.MustParseAddr("168.63.129.16")   // Azure's platform
	oracle    = netip.MustParseAddr("192.0.0.192")     // Oracle Cloud Classic
	aws6      = netip.MustParseAddr("fd00:ec2::254")   // AWS
	google6   = netip.MustParseAddr("fd20:ce::254")    // Google
)

// never returns why nothing opens an address, or OK. Plain is the address as it was written, without zone; some ranges are refused as such.
func (p *Policy) never(plain, a netip.Addr) Reason {
	switch {
	case !a.IsValid():
		return Invalid
	case nat64Local.Contains(plain):
		return Embedded
	case a.IsLoopback():
		return Loopback
	case a.IsUnspecified() || thisNetwork.Contains(a):
		return Unspecified
	case a.IsMulticast():
		return Multicast
	case a == broadcast:
		return Broadcast
	case isMetadata(a):
		return Metadata
	case a.IsLinkLocalUnicast():
		return LinkLocal
	case reserved.Contains(a):
		return Reserved
	case sharedSpace.Contains(a) && !contains(p.shared, a):
		return SharedSpace
	}
	return OK
}

// tunnelled tells whether an address as it was written is one of 6to4 or Teredo. Whoever relays the tunnel decides where that leads, so the IPv4 address inside can
// close it, but not open it.
func tunnelled(plain netip.Addr) bool { return sixToFour.Contains(plain) || teredo.Contains(plain) }

func isMetadata(a netip.Addr) bool {
	switch a {
	case metadata4, alibaba, azure, oracle, aws6, google6:
		return true
	}
	return false
}
