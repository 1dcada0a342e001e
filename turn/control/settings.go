package control

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"signalbox/internal/access"
)

// Settings returns what the TURN process must know. Listen is where it listens, own are all listeners of this installation, see Settings.Own.
// The error begins with the key at fault. Log level and format, and sockets, are the caller's to add.
func (c Config) Settings(listen, own []netip.AddrPort) (s Settings, err error) {
	s = Settings{
		Realm: c.Realm, MinPort: c.MinPort, MaxPort: c.MaxPort, Own: own,
		MaxAllocations: c.MaxAllocations, SessionAllocations: c.SessionAllocations, TechnicianAllocations: c.TechnicianAllocations,
		SessionRate: int64(c.SessionRate), TotalRate: int64(c.TotalRate),
	}
	var errs [4]error
	s.AllowPeers, errs[0] = parseRanges("allow_peers", c.AllowPeers)
	s.DenyPeers, errs[1] = parseRanges("deny_peers", c.DenyPeers)
	s.Relay, errs[2] = c.relay(listen)
	if c.RESTSecretFile != "" {
		if s.RESTSecret, err = access.ReadSharedSecret(c.RESTSecretFile); err != nil {
			errs[3] = fmt.Errorf("rest_secret_file: %w", err)
		}
	}
	return s, errors.Join(errs[:]...)
}

// relay returns the addresses of relay ports, and how they are announced.
func (c Config) relay(listen []netip.AddrPort) ([]RelayAddress, error) {
	bind, err := parsePerFamily("relay_ip", c.RelayIP)
	if err != nil {
		return nil, err
	}
	if len(bind) == 0 {
		bind = defaultRelay(listen)
	}
	public, err := parsePerFamily("public_ip", c.PublicIP)
	if err != nil {
		return nil, err
	}
	var relay []RelayAddress
	for _, b := range bind {
		relay = append(relay, RelayAddress{Bind: b, Announced: b})
	}
	for _, p := range public {
		found := false
		for i := range relay {
			if relay[i].Bind.Is4() == p.Is4() {
				relay[i].Announced, found = p, true
			}
		}
		if !found {
			return nil, fmt.Errorf("public_ip: %s has no address of its family to be bound to: set turn.relay_ip", p)
		}
	}
	if len(relay) == 0 {
		return nil, errors.New("relay_ip: this machine has no address for relay ports: set one")
	}
	return relay, nil
}

// defaultRelay returns one address of each family: those that the listeners are bound to, else those of the default routes, else any of this machine.
func defaultRelay(listen []netip.AddrPort) []netip.Addr {
	var bound []netip.Addr
	everywhere := len(listen) == 0
	for _, l := range listen {
		if l.Addr().IsUnspecified() {
			everywhere = true
			continue
		}
		bound = append(bound, l.Addr().Unmap().WithZone(""))
	}
	if !everywhere {
		return firstOfEach(bound)
	}
	if routed := routedAddrs(); len(routed) > 0 {
		return firstOfEach(append(bound, routed...))
	}
	return firstOfEach(append(bound, localAddrs()...))
}

func firstOfEach(addrs []netip.Addr) (first []netip.Addr) {
	seen := map[bool]bool{}
	for _, a := range addrs {
		if !seen[a.Is4()] {
			first, seen[a.Is4()] = append(first, a), true
		}
	}
	return first
}

// routedAddrs returns this machine's addresses towards the Internet. Nothing is sent: a datagram socket is given a peer of the documentation ranges
// (RFC 5737, RFC 3849), for which the kernel chooses the local address.
func routedAddrs() (addrs []netip.Addr) {
	for _, peer := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} {
		c, err := net.Dial("udp", peer)
		if err != nil {
			continue // no route of that family
		}
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
			if ip := a.AddrPort().Addr().Unmap(); ip.Zone() == "" && !ip.IsUnspecified() && !ip.IsLinkLocalUnicast() {
				addrs = append(addrs, ip)
			}
		}
		_ = c.Close() // nothing was sent
	}
	return addrs
}

// localAddrs returns the addresses of this machine's interfaces, those of loopback last.
func localAddrs() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var addrs, loopback []netip.Addr
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		switch ip := p.Addr().Unmap(); {
		case err != nil || ip.IsLinkLocalUnicast():
		case ip.IsLoopback():
			loopback = append(loopback, ip)
		default:
			addrs = append(addrs, ip)
		}
	}
	return append(addrs, loopback...)
}
