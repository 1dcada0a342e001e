package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"signalbox/turn/control"
)

// relay tells where relay ports are, who can reach them and whether there are enough. It connects to nothing.
func (x *examination) relay() {
	s, err := x.Config.TURN.Settings(x.turnListens(), nil)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			where, what, _ := strings.Cut(line, ": ")
			x.wrong(BadConfiguration, "turn."+where, what, "correct it in "+x.File+": the TURN process does not start with it")
		}
		return
	}
	for _, r := range s.Relay {
		x.relayAddress(r)
	}
	x.relayPorts()
}

// turnListens are the addresses of TURN's listeners, as far as they are written as such.
func (x *examination) turnListens() (all []netip.AddrPort) {
	texts := x.Config.Listen.TURN
	if running := x.Running["turn_udp"]; len(running) > 0 {
		texts = running
	}
	for _, text := range texts {
		if strings.HasPrefix(text, ":") {
			text = "[::]" + text
		}
		if a, err := netip.ParseAddrPort(text); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// relayAddress tells of one address to which relay ports are bound.
func (x *examination) relayAddress(r control.RelayAddress) {
	check := "relay address " + r.Bind.String()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.Bind, 0)))
	if err != nil {
		x.wrong(RelayAddress, check, "relay ports cannot be bound to it: "+err.Error(), "set turn.relay_ip to an address that this machine has")
		return
	}
	_ = c.Close() // it was only a try
	ports := fmt.Sprintf("UDP ports %d to %d", x.Config.TURN.MinPort, x.Config.TURN.MaxPort)
	switch {
	case r.Announced.IsLoopback():
		x.warn(RelayLoopback, check, "is loopback: only programs of this machine reach what is relayed", "set turn.relay_ip to an address of the network; leave it where it is for tests")
	case r.Bind != r.Announced:
		x.well(check, "clients are told "+r.Announced.String()+", as turn.public_ip says", "the router must pass "+ports+" from there to here, each to the same port")
	case inside(r.Announced) && !slices.Contains(x.Config.TURN.PublicIP, r.Announced.String()):
		x.warn(RelayPrivate, check, "is private, and turn.public_ip names no other: clients outside this network cannot reach what is relayed",
			"set turn.public_ip, or ITSM_XMPP_IP in the environment, to the address at which clients reach this server, and have the router pass "+ports+"; if none are outside, set it to "+r.Announced.String())
	default:
		x.well(check, "clients are told this address", "firewalls must pass "+ports+" to it")
	}
}

// sharedRange is what providers number their customers from (RFC 6598).
var sharedRange = netip.MustParsePrefix("100.64.0.0/10")

// inside reports whether an address means something in its own network alone.
func inside(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || sharedRange.Contains(a)
}

// relayPorts compares the ports with what may be allocated.
func (x *examination) relayPorts() {
	cfg := x.Config.TURN
	ports := cfg.MaxPort - cfg.MinPort + 1
	check := fmt.Sprintf("relay ports %d to %d", cfg.MinPort, cfg.MaxPort)
	switch {
	case ports < cfg.SessionAllocations:
		x.warn(FewRelayPorts, check, fmt.Sprintf("are %d, and one session may allocate %d: it can take all", ports, cfg.SessionAllocations), "widen turn.min_port to turn.max_port, or lower turn.session_allocations")
	case ports < cfg.TechnicianAllocations:
		x.warn(FewRelayPorts, check, fmt.Sprintf("are %d, and one technician may allocate %d: a few take all", ports, cfg.TechnicianAllocations), "widen turn.min_port to turn.max_port, or lower turn.technician_allocations")
	case ports < cfg.MaxAllocations:
		x.well(check, fmt.Sprintf("are enough for %d allocations on each relay address; turn.max_allocations, %d, is not reached on one", ports, cfg.MaxAllocations), "")
	default:
		x.well(check, fmt.Sprintf("are enough for the %d allocations of turn.max_allocations", cfg.MaxAllocations), "")
	}
}

// fewPorts is what a system should have left to give away.
const fewPorts = 4096

// ephemeralPorts warns where the system gives relay ports to other sockets.
func (x *examination) ephemeralPorts(file string) {
	from, to := x.Config.TURN.MinPort, x.Config.TURN.MaxPort
	low, high, overlaps := control.EphemeralOverlap(file, from, to)
	if !overlaps {
		x.well("ports of the system", "are apart from relay ports, or not known on this system", "")
		return
	}
	action := fmt.Sprintf("set turn.min_port and turn.max_port outside of %d to %d", low, high)
	switch {
	case from-low >= fewPorts:
		action = setRange(low, from-1)
	case high-to >= fewPorts:
		action = setRange(to+1, high)
	}
	x.warn(EphemeralOverlap, "ports of the system", fmt.Sprintf("%d to %d are given to any socket, relay ports among them: now and then one is taken, and an allocation gets the next", low, high), action)
}

func setRange(low, high int) string {
	return fmt.Sprintf(`sysctl -w net.ipv4.ip_local_port_range="%d %d", and the same in a file of /etc/sysctl.d; or set turn.min_port and turn.max_port apart`, low, high)
}
