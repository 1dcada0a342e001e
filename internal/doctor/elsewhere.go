package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"signalbox/certs"
)

// ownAddresses returns the addresses of this machine.
func ownAddresses() (all []netip.Addr) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr().Unmap().WithZone(""))
		}
	}
	return all
}

// leads says where a name of this server leads, and warns where that is another machine.
func (x *examination) leads(ctx context.Context, host string, found []string) {
	where := "resolves to " + strings.Join(found, ", ")
	if x.Outside != nil {
		x.leadsOutside(host, where, found)
		return
	}
	for _, text := range found {
		a, err := netip.ParseAddr(text)
		if err != nil || x.isOwn(a.Unmap().WithZone("")) {
			continue
		}
		if ours, why := x.oursAt(ctx, text); !ours {
			x.warn(NameElsewhere, host, fmt.Sprintf("%s, and %s is no address of this machine: %s", where, text, why),
				"correct the record if that is not this server; if a router or a balancer stands there that cannot be reached from inside, look with signalbox doctor --from outside")
			return
		}
	}
	x.well(host, where, "")
}

// isOwn reports whether an address is this machine's, or said to be its public one.
func (x *examination) isOwn(a netip.Addr) bool {
	return a.IsLoopback() || slices.Contains(x.local, a) || slices.Contains(x.Config.TURN.PublicIP, a.String())
}

// oursAt looks whether it is our server that answers at an address, as where a router or a balancer leads to it.
func (x *examination) oursAt(ctx context.Context, addr string) (ours bool, why string) {
	ports := portsOf(x.Config.Listen.TLS)
	if len(ports) == 0 || x.survey() != nil {
		return false, "what is there was not asked"
	}
	conn, t := x.secure(ctx, port{key: "listen.tls", addr: net.JoinHostPort(addr, ports[0])}, []string{alpnClient})
	if t != nil {
		return false, "port " + ports[0] + " there " + t.detail
	}
	leaf := conn.ConnectionState().PeerCertificates[0]
	_ = conn.Close() // all is known
	if slices.ContainsFunc(x.bundles, func(b *certs.Bundle) bool { return b.Certificate.Equal(leaf) }) {
		return true, ""
	}
	return false, fmt.Sprintf("another certificate than ours is shown there, %q", leaf.Subject)
}

// leadsOutside compares with the address that was given.
func (x *examination) leadsOutside(host, where string, found []string) {
	given := x.Outside.Address
	if given != "" && net.ParseIP(given) != nil && !slices.Contains(found, given) {
		x.warn(NameElsewhere, host, where+", and not to "+given+", which was given", "correct the record, or the address")
		return
	}
	x.well(host, where, "")
}
