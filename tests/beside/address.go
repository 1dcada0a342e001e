package beside

import (
	"errors"
	"net"
	"net/netip"
)

// Address returns the first IPv4 address of this machine that is not loopback.
func Address() (netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && p.Addr().IsGlobalUnicast() {
			return p.Addr(), nil
		}
	}
	return netip.Addr{}, errors.New("this machine has no IPv4 address but loopback, to which no TURN server relays")
}
