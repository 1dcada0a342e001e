package datapath

import "net/netip"

// Transport is how a client reaches us.
type Transport uint8

// Transports of clients.
const (
	UDP Transport = iota
	TCP
	TLS
)

func (t Transport) String() string {
	switch t {
	case UDP:
		return "udp"
	case TCP:
		return "tcp"
	case TLS:
		return "tls"
	}
	return "unknown"
}

// Client is one 5-tuple, which can have one allocation (RFC 8656 section 2.2). Clients can be compared. A stream that comes again from the same address is another.
type Client struct {
	Transport Transport
	Local     netip.AddrPort // that the client wrote to
	Remote    netip.AddrPort

	way way
}

// way leads back to clients: a *listener or a *stream.
type way interface{ answer(c Client, b []byte) }

// Answer sends one STUN message to the client, best effort. Nothing of b is kept.
func (c Client) Answer(b []byte) {
	if c.way != nil {
		c.way.answer(c, b)
	}
}

// tuple is what allocations are found by.
type tuple struct {
	transport     Transport
	local, remote netip.AddrPort
}

func (c Client) tuple() tuple { return tuple{c.Transport, c.Local, c.Remote} }
