package control

import (
	"net"
	"net/netip"
	"slices"
)

// names are how clients reach this installation.
type names struct {
	public string   // name of the server, which its certificate covers
	turn   string   // name or address of the TURN process where its sockets do not say; empty: public
	tls    []string // addresses of the shared port
}

// Announce says how clients reach this installation: by the public name of the server, which its certificate covers, and on tls, the addresses of the shared
// port. It must be called before Run.
func (c *Client) Announce(public string, tls []string) {
	c.names = names{public: public, turn: public, tls: tls}
	if c.target == "" {
		return
	}
	// A TURN process on another host has an address of its own.
	if len(c.cfg.PublicIP) > 0 {
		c.names.turn = c.cfg.PublicIP[0]
	} else if host, _, err := net.SplitHostPort(c.target); err == nil {
		c.names.turn = host
	}
}

// URLs returns the URIs of the TURN server for clients (RFC 7065): over UDP first, then TCP, then TLS on the shared port.
func (c *Client) URLs() []string {
	c.mu.Lock()
	listen := c.listen
	c.mu.Unlock()
	var urls []string
	add := func(scheme, host, addr, transport string) {
		if url := turnURL(scheme, host, addr, transport); url != "" && !slices.Contains(urls, url) {
			urls = append(urls, url)
		}
	}
	for _, kind := range []SocketKind{SocketUDP, SocketTCP} {
		for _, s := range listen {
			if s.Kind == kind {
				add("turn", c.names.turn, s.Addr, string(kind))
			}
		}
	}
	for _, addr := range c.names.tls {
		add("turns", c.names.public, addr, "tcp")
	}
	return urls
}

// turnURL returns the URI of one listener: under the host, or if it is on loopback under its own address, where alone it can be reached.
func turnURL(scheme, host, addr, transport string) string {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ""
	}
	if a.Addr().Unmap().IsLoopback() && scheme == "turn" {
		host = a.Addr().Unmap().String()
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return scheme + ":" + net.JoinHostPort(host, port) + "?transport=" + transport
}
