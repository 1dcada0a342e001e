package turn

import (
	"fmt"
	"net/netip"

	"signalbox/tests/turn/rawturn"
)

// evenPair asks for an even port, and for the next one to be kept.
var evenPair = rawturn.Bytes(rawturn.EvenPort, 0x80)

// reservationRows are about two ports side by side (RFC 8656 section 7.2).
func reservationRows() []row {
	udp, invented, additional := rawturn.Transport(17), rawturn.Text(rawturn.ReservationToken, "12345678"), rawturn.Bytes(rawturn.AdditionalFamily, 2, 0, 0, 0)
	return []row{
		{"invented RESERVATION-TOKEN", "508", "404", allocates(udp, invented)},
		{"RESERVATION-TOKEN of zeros", "508", "success", allocates(udp, rawturn.Bytes(rawturn.ReservationToken, make([]byte, 8)...))},
		{"RESERVATION-TOKEN of 4 bytes", "400", "400", allocates(udp, rawturn.Text(rawturn.ReservationToken, "1234"))},
		{"RESERVATION-TOKEN and EVEN-PORT", "400", "400", allocates(udp, invented, evenPair)},
		{"RESERVATION-TOKEN and REQUESTED-ADDRESS-FAMILY", "400", "400", allocates(udp, invented, rawturn.Bytes(rawturn.AddressFamily, 1, 0, 0, 0))},
		{"RESERVATION-TOKEN and ADDITIONAL-ADDRESS-FAMILY", "400", "404", allocates(udp, invented, additional)},
		{"EVEN-PORT R=1 and ADDITIONAL-ADDRESS-FAMILY", "400", "success", allocates(udp, evenPair, additional)},
		{"EVEN-PORT R=1", "success", "success", allocates(udp, evenPair)},
		{"EVEN-PORT R=1, token used", "port+1", "port+1", func(p *probe) string {
			s := p.open(p.T)
			relayed, token := p.reserve(s.a)
			next, relayedNext := p.allocated("udp", s.a, token)
			if p.end != nil { // coturn's relays lie on loopback, which it denies
				p.relays(next, relayedNext, s.b)
			}
			return offset(relayed, relayedNext)
		}},
		{"EVEN-PORT R=1, token used over another transport", "port+1", "port+1", func(p *probe) string {
			s := p.open(p.T)
			relayed, token := p.reserve(s.a)
			_, relayedNext := p.allocated("tcp", s.a, token)
			return offset(relayed, relayedNext)
		}},
		{"EVEN-PORT R=1, token used twice", "508", "404", func(p *probe) string {
			s := p.open(p.T)
			_, token := p.reserve(s.a)
			p.allocated("udp", s.a, token)
			return p.do(p.greeted("udp", s.a), rawturn.Allocate, udp, token)
		}},
		{"EVEN-PORT R=1, token used in another session", "508", "success", func(p *probe) string {
			_, token := p.reserve(p.user())
			return p.do(p.greeted("udp", p.user()), rawturn.Allocate, udp, token)
		}},
		{"EVEN-PORT R=1, same transaction", "the same answer", "another answer", func(p *probe) string {
			c := p.greeted("udp", p.user())
			b := c.Signed(rawturn.New(rawturn.Allocate, udp, evenPair))
			first, err := c.Ask(b, p.wait)
			p.must(err)
			again, err := c.Ask(b, p.wait)
			if err != nil || !again.Success() {
				return rawturn.Word(again, err)
			}
			token, _ := first.Get(rawturn.ReservationToken)
			tokenAgain, _ := again.Get(rawturn.ReservationToken)
			if first.Addr(rawturn.XORRelayed) != again.Addr(rawturn.XORRelayed) || len(token) != 8 || string(token) != string(tokenAgain) {
				return "another answer"
			}
			return "the same answer"
		}},
	}
}

// reserve makes an allocation with an even port and returns its relayed address, and the token for the next port.
func (p *probe) reserve(a rawturn.Account) (relayed netip.AddrPort, token rawturn.Attr) {
	p.Helper()
	c := p.greeted("udp", a)
	m, err := c.Do(rawturn.Allocate, rawturn.Transport(17), evenPair)
	p.must(err)
	value, ok := m.Get(rawturn.ReservationToken)
	if relayed = m.Addr(rawturn.XORRelayed); !ok || len(value) != 8 || relayed.Port()%2 != 0 {
		p.Fatalf("EVEN-PORT R=1: %s, port %d, token %x", rawturn.Word(m, nil), relayed.Port(), value)
	}
	return relayed, rawturn.Bytes(rawturn.ReservationToken, value...)
}

// offset says how far behind a relayed address another one is.
func offset(first, next netip.AddrPort) string {
	if first.Addr() != next.Addr() {
		return "another address"
	}
	return fmt.Sprintf("port%+d", int(next.Port())-int(first.Port()))
}

// relays fails unless packets pass both ways between an allocation and one that the session's other side makes.
func (p *probe) relays(c *rawturn.Client, relayed netip.AddrPort, other rawturn.Account) {
	p.Helper()
	peer, relayedPeer := p.allocated("udp", other)
	p.must(peer.Permit(relayed.Addr()))
	p.must(c.Bind(0x4000, relayedPeer))
	p.must(c.SendOn(0x4000, []byte("control")))
	p.receives(peer, "control")
	p.must(peer.SendTo(relayed, []byte("report")))
	p.receives(c, "report")
}

func (p *probe) receives(c *rawturn.Client, want string) {
	p.Helper()
	if got, err := c.Payload(p.wait); err != nil || string(got) != want {
		p.Errorf("received %q, %v; want %q", got, err, want)
	}
}
