package turn

import (
	"bytes"
	"fmt"
	"net/netip"

	"signalbox/tests/turn/rawturn"
)

// denied are IPv4 addresses that 0.0.0.0/0 in turn.allow_peers does not open, with what coturn answers by default.
var denied = []struct{ addr, coturn string }{
	{"127.0.0.1", "403"}, {"127.1.2.3", "403"}, {"127.255.255.254", "403"}, {"0.0.0.0", "403"}, {"0.1.2.3", ""},
	{"169.254.169.254", "success"}, {"169.254.1.1", "success"}, {"169.254.170.2", "success"}, {"255.255.255.255", "success"}, {"224.0.0.1", "success"}, {"239.255.255.250", "success"}, {"240.0.0.1", "success"},
	{"100.64.1.1", "success"}, {"100.100.100.200", "success"}, {"168.63.129.16", "success"}, {"192.0.0.192", "success"},
}

// closedUnlessAllowed are IPv4 addresses that turn.allow_peers may open.
var closedUnlessAllowed = []struct{ addr, coturn string }{
	{"10.1.2.3", "success"}, {"172.16.1.1", "success"}, {"192.168.1.1", "success"}, {"198.51.100.7", "success"},
}

// denied6 are spellings of such addresses in IPv6, and those that IPv6 has of its own.
var denied6 = []string{
	"::1", "::", "::ffff:127.0.0.1", "::ffff:127.1.2.3", "::ffff:0.0.0.0", "::ffff:169.254.169.254", "::ffff:224.0.0.1", "::ffff:255.255.255.255", "::127.0.0.1", "::169.254.169.254",
	"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:7f00:1::1", "2002:a9fe:a9fe::", "2001:0:c633:6401:0:ffff:80ff:fffe", "2001:0:c633:6401:0:ffff:5601:5601",
	"fe80::1", "febf::1", "ff02::1", "ff05::2", "fd00:ec2::254", "fd20:ce::254", "::ffff:0:127.0.0.1", "::ffff:0:169.254.169.254",
}

// permits returns probes of a permission and of a channel for an address, of an allocation with these attributes.
func permits(name, addr, want, coturn string, attrs ...rawturn.Attr) []row {
	return []row{
		{name + addr + ": CreatePermission", want, coturn, func(p *probe) string {
			c, _ := p.allocated("udp", p.user(), attrs...)
			return p.do(c, rawturn.CreatePermission, rawturn.PeerIP(addr))
		}},
		{name + addr + ": ChannelBind", want, coturn, func(p *probe) string {
			c, _ := p.allocated("udp", p.user(), attrs...)
			return p.do(c, rawturn.ChannelBind, append(peersOf(addr), rawturn.Channel(0x4000))...)
		}},
	}
}

// peerRows are about where a relay with an IPv4 address may send when nothing was opened.
func peerRows() (rows []row) {
	for _, d := range append(denied, closedUnlessAllowed...) {
		rows = append(rows, permits("peer ", d.addr, "403", d.coturn)...)
	}
	for _, a := range denied6 {
		rows = append(rows, permits("IPv6-family ", a, "443|403", "443")...)
	}
	rows = append(rows, permits("IPv6-family ", "2001:db8::7", "443|403", "443")...)
	return append(rows,
		row{"IPv6 family asked, none available", "440", "", allocates(rawturn.Transport(17), rawturn.Bytes(rawturn.AddressFamily, 2, 0, 0, 0))},
		row{"one request with good + bad peer", "403", "403", func(p *probe) string {
			s := p.open(p.T)
			a, relayA := p.allocated("udp", s.a)
			b, relayB := p.allocated("udp", s.b)
			if p.end == nil {
				return p.do(a, rawturn.CreatePermission, peersOf("198.51.100.7", "127.0.0.1")...)
			}
			p.must(b.Permit(relayA.Addr()))
			got := p.do(a, rawturn.CreatePermission, rawturn.Peer(relayB), peersOf("10.1.2.3")[0])
			p.must(b.SendTo(relayA, []byte("nobody may hear this")))
			if data, err := a.Payload(rawturn.Silence); err == nil {
				return fmt.Sprintf("%s, but %q came through", got, data)
			}
			return got
		}},
		row{"relayed address of another session", "nothing", "", func(p *probe) string {
			if p.end == nil {
				return "nothing"
			}
			mine, other := p.open(p.T), p.open(p.T)
			a, relayA := p.allocated("udp", mine.a)
			_, relayB := p.allocated("udp", mine.b)
			c, relayC := p.allocated("udp", other.a)
			_, relayD := p.allocated("udp", other.b)
			p.must(a.Permit(relayB.Addr()))
			p.must(c.Permit(relayD.Addr()))
			if got := p.do(a, rawturn.ChannelBind, rawturn.Channel(0x4000), rawturn.Peer(relayC)); got != "403" {
				return "a channel to it: " + got
			}
			p.must(a.SendTo(relayC, []byte("from another session")))
			p.must(c.SendTo(relayA, []byte("from another session")))
			for _, who := range []*rawturn.Client{a, c} {
				if data, err := who.Payload(rawturn.Silence); err == nil {
					return fmt.Sprintf("%q came through", data)
				}
			}
			return "nothing"
		}},
	)
}

// loopbackRows: where relays lie on loopback, relayed addresses of the session are all that is open there.
func loopbackRows() (rows []row) {
	for _, addr := range []string{"127.0.0.2", "127.1.2.3", "0.0.0.0"} {
		rows = append(rows, permits("peer ", addr, "403", "")...)
	}
	return append(rows,
		row{"another port of the relay's address: ChannelBind", "403", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			return p.do(c, rawturn.ChannelBind, rawturn.Channel(0x4000), rawturn.Peer(newPeer(p.T, loopback).addr))
		}},
		row{"another port of the relay's address: datagrams", "nothing", "", func(p *probe) string {
			c, relayed := p.allocated("udp", p.user())
			x := newPeer(p.T, loopback)
			p.must(c.Permit(loopback))
			p.must(c.SendTo(x.addr, []byte("into the machine")))
			if data, _, err := x.next(silent); err == nil {
				return fmt.Sprintf("%q came through", data)
			}
			p.must(c.SendTo(relayed, []byte("to myself")))
			if err := p.arrives(c, []byte("to myself")); err != nil {
				return err.Error()
			}
			return "nothing"
		}},
		row{"the port of our own listener: datagrams", "nothing", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			p.must(c.Permit(loopback))
			p.must(c.SendTo(netip.MustParseAddrPort(p.addrs["udp"]), rawturn.New(rawturn.Binding).Encode()))
			if data, err := c.Payload(silent); err == nil {
				return fmt.Sprintf("%x came back", data)
			}
			return "nothing"
		}},
	)
}

var loopback = netip.MustParseAddr("127.0.0.1")

// hairpinRows show that what the other rows find closed is open to whom it belongs: the two sides of a session, over each transport.
func hairpinRows() (rows []row) {
	for _, from := range []string{"udp", "tcp", "tls"} {
		for _, to := range []string{"udp", "tcp", "tls"} {
			rows = append(rows, row{"both sides of a session, " + from + " and " + to, "all arrived", "", func(p *probe) string {
				s := p.open(p.T)
				a, relayA := p.allocated(from, s.a)
				b, relayB := p.allocated(to, s.b)
				p.must(a.Bind(0x4000, relayB))
				p.must(b.Permit(relayA.Addr()))
				for n := range 20 {
					payload := bytes.Repeat([]byte{byte(n)}, 1+n*60)
					p.must(a.SendOn(0x4000, payload))
					p.must(p.arrives(b, payload))
					p.must(b.SendTo(relayA, payload))
					p.must(p.arrives(a, payload))
				}
				return "all arrived"
			}})
		}
	}
	return rows
}

// arrives waits for a payload.
func (p *probe) arrives(c *rawturn.Client, want []byte) error {
	got, err := c.Payload(p.wait)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("got %d bytes %.8x, want %d bytes %.8x", len(got), got, len(want), want)
	}
	return err
}

// open6Rows are the same for a relay with an IPv6 address.
func open6Rows() (rows []row) {
	six := rawturn.Bytes(rawturn.AddressFamily, 2, 0, 0, 0)
	for _, a := range denied6 {
		rows = append(rows, permits("allowed IPv6 peer ", a, "443|403", "", six)...)
	}
	rows = append(rows, permits("allowed IPv6 peer ", "2001:db8::7", "success", "", six)...)
	rows = append(rows, permits("allowed IPv6 peer ", "::ffff:198.51.100.7", "443|403", "", six)...)
	return rows
}

// openRows are about a relay for which turn.allow_peers names everything: the rest of the list stays closed.
func openRows() (rows []row) {
	for _, d := range denied {
		rows = append(rows, permits("allowed peer ", d.addr, "403", "")...)
	}
	for _, d := range closedUnlessAllowed {
		rows = append(rows, permits("allowed peer ", d.addr, "success", "")...)
	}
	return append(rows,
		row{"2000 permissions on one allocation", "508 after 16", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			for n := range 2000 {
				if got := p.do(c, rawturn.CreatePermission, rawturn.Peer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(n >> 8), byte(n)}), 0))); got != "success" {
					return fmt.Sprintf("%s after %d", got, n)
				}
			}
			return "2000"
		}},
		row{"17 permissions in one request", "508", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			var peers []rawturn.Attr
			for n := range 17 {
				peers = append(peers, peersOf(fmt.Sprintf("10.9.9.%d", n))...)
			}
			return p.do(c, rawturn.CreatePermission, peers...)
		}},
		row{"the same permission again and again", "success", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			for n := range 40 {
				if got := p.do(c, rawturn.CreatePermission, peersOf(fmt.Sprintf("10.9.9.%d", n%16))...); got != "success" {
					return got
				}
			}
			return "success"
		}},
		row{"2000 channels on one allocation", "508 after 16", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			for n := range 2000 {
				if got := p.do(c, rawturn.ChannelBind, rawturn.Channel(uint16(0x4000+n)), rawturn.Peer(netip.AddrPortFrom(netip.MustParseAddr("10.9.9.9"), uint16(1+n)))); got != "success" {
					return fmt.Sprintf("%s after %d", got, n)
				}
			}
			return "2000"
		}},
		row{"a channel for another peer", "400", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			p.must(c.Bind(0x4000, netip.MustParseAddrPort("10.9.9.9:1")))
			return p.do(c, rawturn.ChannelBind, rawturn.Channel(0x4000), rawturn.Peer(netip.MustParseAddrPort("10.9.9.9:2")))
		}},
		row{"another channel for the peer", "400", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			p.must(c.Bind(0x4000, netip.MustParseAddrPort("10.9.9.9:1")))
			return p.do(c, rawturn.ChannelBind, rawturn.Channel(0x4001), rawturn.Peer(netip.MustParseAddrPort("10.9.9.9:1")))
		}},
		row{"the same channel for the same peer", "success", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			p.must(c.Bind(0x4000, netip.MustParseAddrPort("10.9.9.9:1")))
			return p.do(c, rawturn.ChannelBind, rawturn.Channel(0x4000), rawturn.Peer(netip.MustParseAddrPort("10.9.9.9:1")))
		}},
	)
}
