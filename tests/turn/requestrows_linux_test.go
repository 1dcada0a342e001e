package turn

import (
	"fmt"
	"slices"

	"signalbox/tests/turn/rawturn"
)

// allocates returns a probe that asks for an allocation with these attributes.
func allocates(attrs ...rawturn.Attr) func(*probe) string {
	return func(p *probe) string { return p.do(p.greeted("udp", p.user()), rawturn.Allocate, attrs...) }
}

// lifetime returns a probe of the lifetime that an allocation gets.
func lifetime(attrs ...rawturn.Attr) func(*probe) string {
	return func(p *probe) string {
		m, err := p.greeted("udp", p.user()).DoIn(p.wait, rawturn.Allocate, append(attrs, rawturn.Transport(17))...)
		if err != nil || !m.Success() {
			return rawturn.Word(m, err)
		}
		return fmt.Sprint(m.Uint32(rawturn.Lifetime))
	}
}

// unknown returns a probe with a required attribute that nobody knows, or does.
func unknown(attr rawturn.Attr) func(*probe) string {
	return func(p *probe) string {
		m, err := p.greeted("udp", p.user()).DoIn(p.wait, rawturn.Allocate, rawturn.Transport(17), attr)
		if got := rawturn.Word(m, err); got != "420" {
			return got
		}
		list, _ := m.Get(rawturn.UnknownAttributes)
		if want := []byte{byte(attr.Type >> 8), byte(attr.Type)}; string(list) != string(want) {
			return fmt.Sprintf("420 about %x", list)
		}
		return "420"
	}
}

// requestRows are about what an owner asks for.
func requestRows() []row {
	udp := rawturn.Transport(17)
	return append([]row{
		{"Allocate", "success", "success", allocates(udp)},
		{"second Allocate on 5-tuple", "437", "437", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			return p.do(c, rawturn.Allocate, udp)
		}},
		{"second Allocate on 5-tuple, same transaction", "the same answer", "the same answer", func(p *probe) string {
			c := p.greeted("udp", p.user())
			b := c.Signed(rawturn.New(rawturn.Allocate, udp))
			first, err := c.Ask(b, p.wait)
			p.must(err)
			again, err := c.Ask(b, p.wait)
			if err != nil || !again.Success() || again.Addr(rawturn.XORRelayed) != first.Addr(rawturn.XORRelayed) {
				return rawturn.Word(again, err)
			}
			return "the same answer"
		}},
		{"second Allocate on 5-tuple, another user", "437|441", "437", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			c.Account = p.user()
			return p.do(c, rawturn.Allocate, udp)
		}},
		{"REQUESTED-TRANSPORT=TCP", "442", "400", allocates(rawturn.Transport(6))},
		{"REQUESTED-TRANSPORT=0", "442", "400", allocates(rawturn.Transport(0))},
		{"no REQUESTED-TRANSPORT", "400", "400", allocates()},
		{"REQUESTED-TRANSPORT of 1 byte", "400|silence", "", allocates(rawturn.Bytes(rawturn.RequestedTransport, 17))},
		{"REQUESTED-TRANSPORT twice, TCP and UDP", "442|400", "", allocates(rawturn.Transport(6), udp)},
		{"unknown required attribute", "420", "420", unknown(rawturn.Bytes(0x7FFE, 1, 2, 3, 4))},
		{"DONT-FRAGMENT", "420", "", unknown(rawturn.Bytes(rawturn.DontFragment))},
		{"unknown optional attribute", "success", "success", allocates(udp, rawturn.Bytes(0xC0DE, 1, 2, 3, 4))},
		{"unknown required attribute of a stranger", "401", "", func(p *probe) string {
			return p.ask(p.dial("udp"), rawturn.New(rawturn.Allocate, udp, rawturn.Bytes(0x7FFE, 1)).Encode())
		}},
		{"unknown required attribute in a Binding", "420", "420", func(p *probe) string {
			return p.ask(p.dial("udp"), rawturn.New(rawturn.Binding, rawturn.Bytes(0x7FFE, 1)).Encode())
		}},
		{"EVEN-PORT R=0", "even", "even", func(p *probe) string {
			for range 3 {
				if _, relayed := p.allocated("udp", p.user(), rawturn.Bytes(rawturn.EvenPort, 0)); relayed.Port()%2 != 0 {
					return "odd"
				}
			}
			return "even"
		}},
		{"LIFETIME 86400", "1800", "3600", lifetime(rawturn.Uint32(rawturn.Lifetime, 86400))},
		{"LIFETIME 0xFFFFFFFF", "1800", "3600", lifetime(rawturn.Uint32(rawturn.Lifetime, 0xFFFFFFFF))},
		{"LIFETIME 700", "700", "700", lifetime(rawturn.Uint32(rawturn.Lifetime, 700))},
		{"no LIFETIME", "600", "600", lifetime()},
		{"LIFETIME of 2 bytes", "400|silence", "", lifetime(rawturn.Bytes(rawturn.Lifetime, 1, 2))},
		{"Refresh LIFETIME 86400", "1800", "3600", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			m, err := c.DoIn(p.wait, rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 86400))
			if err != nil || !m.Success() {
				return rawturn.Word(m, err)
			}
			return fmt.Sprint(m.Uint32(rawturn.Lifetime))
		}},
		{"Refresh LIFETIME 0 frees", "success, 437, success", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			zero := rawturn.Uint32(rawturn.Lifetime, 0)
			return p.do(c, rawturn.Refresh, zero) + ", " + p.do(c, rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 600)) + ", " + p.do(c, rawturn.Allocate, udp)
		}},
		{"Refresh for another family", "443", "443", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			return p.do(c, rawturn.Refresh, rawturn.Bytes(rawturn.AddressFamily, 2, 0, 0, 0))
		}},
		{"family that is none", "440", "440", allocates(udp, rawturn.Bytes(rawturn.AddressFamily, 9, 0, 0, 0))},
		{"CreatePermission without peer", "400", "400", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			return p.do(c, rawturn.CreatePermission)
		}},
		{"ChannelBind without peer", "400", "400", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			return p.do(c, rawturn.ChannelBind, rawturn.Channel(0x4000))
		}},
		{"ChannelBind without channel", "400", "400", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			return p.do(c, rawturn.ChannelBind, peersOf("192.0.2.77")...)
		}},
		{"peer behind the integrity", "400", "success", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			return p.ask(c, rawturn.Append(c.Signed(rawturn.New(rawturn.CreatePermission)), peersOf("192.0.2.77")[0]))
		}},
		{"method that is unknown", "400|401|silence", "", func(p *probe) string {
			return p.do(p.greeted("udp", p.user()), 0x000A) // Connect (RFC 6062)
		}},
		{"FINGERPRINT behind the integrity", "success", "success", func(p *probe) string {
			c := p.greeted("udp", p.user())
			return p.ask(c, rawturn.AddFingerprint(c.Signed(rawturn.New(rawturn.Allocate, udp))))
		}},
		{"unknown required attribute behind the integrity", "success", "420", func(p *probe) string {
			c := p.greeted("udp", p.user())
			return p.ask(c, rawturn.Append(c.Signed(rawturn.New(rawturn.Allocate, udp)), rawturn.Bytes(0x7FFE, 1)))
		}},
	}, slices.Concat(reservationRows(), channelRows())...)
}

// channelRows are about numbers of channels.
func channelRows() (rows []row) {
	cases := []struct {
		number uint16
		coturn string
	}{{0, "400"}, {0x3FFF, "400"}, {0x5000, ""}, {0x7FFE, ""}, {0x7FFF, ""}, {0x8000, "400"}, {0xFFFF, "400"}}
	for _, c := range cases {
		rows = append(rows, row{fmt.Sprintf("channel 0x%04X", c.number), "400", c.coturn, func(p *probe) string {
			s := p.open(p.T)
			mine, _ := p.allocated("udp", s.a)
			_, theirs := p.allocated("udp", s.b)
			if p.end == nil {
				return p.do(mine, rawturn.ChannelBind, append(peersOf("192.0.2.77"), rawturn.Channel(c.number))...) // coturn's relays lie on loopback, which it denies
			}
			return p.do(mine, rawturn.ChannelBind, rawturn.Peer(theirs), rawturn.Channel(c.number))
		}})
	}
	return rows
}
