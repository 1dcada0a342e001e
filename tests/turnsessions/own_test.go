package turnsessions

import (
	"net"
	"net/netip"
	"strconv"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// outside returns an IPv4 address of this machine at which peers could be.
func outside(t *testing.T) netip.Addr {
	t.Helper()
	all, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			return p.Addr()
		}
	}
	t.Skip("LEFT OUT: listeners of the server at the TURN server on another host: this machine has no address beside loopback")
	return netip.Addr{}
}

// TestListenersOfTheServerAreNoPeers: the TURN server on another host relays to no listener of the server, although its address is open to the session.
func TestListenersOfTheServerAreNoPeers(t *testing.T) {
	at := outside(t)
	f := newFar(t, func(c *config.Config) { c.Listen.TLS = []string{"0.0.0.0:0"} })
	made := open(t, f.server, client.NewTURNSession{AllowPeers: []string{at.String()}})
	c := f.join(made.Sides.A)
	_, err := c.Allocate()
	must(t, err)
	_, text, err := net.SplitHostPort(f.server.Addr("tls"))
	must(t, err)
	port, err := strconv.ParseUint(text, 10, 16)
	must(t, err)
	if code := turntest.Code(c.Bind(0x4000, netip.AddrPortFrom(at, uint16(port)))); code != wire.CodeForbidden {
		t.Errorf("a channel to the server's listener is answered with %d, want 403", code)
	}
	if code := turntest.Code(c.Bind(0x4001, netip.AddrPortFrom(at, uint16(port)^1))); code != 0 {
		t.Errorf("a channel to another port there is answered with %d, want none", code)
	}
}
