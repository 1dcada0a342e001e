package turn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"

	"signalbox/tests/turn/rawturn"
)

// row is one attack and its answer.
type row struct {
	name   string
	want   string // what is right; several words are separated by |
	coturn string // what Debian's coturn does, which shows that the probe asks what it means to; empty: coturn has no answer or is not asked
	probe  func(*probe) string
}

// Frames that keep pion/turn v2 busy for ever: their lengths, with padding and header, wrap to 0 in 16 bits.
var (
	wrapsSTUN    = append([]byte{0, 1, 0xFF, 0xEC, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 12)...)
	wrapsChannel = []byte{0x40, 0x00, 0xFF, 0xFC}
)

// emptyPeer is a Send indication that ends with an XOR-PEER-ADDRESS of no bytes; 48 bytes in all.
func emptyPeer() []byte {
	return rawturn.New(rawturn.SendIndication, rawturn.Attr{Type: rawturn.Data, Value: make([]byte, 20)}, rawturn.Bytes(rawturn.XORPeer)).Encode()
}

// closes returns a probe that writes bytes on a stream, which the server has to close.
func closes(network string, b []byte) func(*probe) string {
	return func(p *probe) string {
		c := p.dial(network)
		_, err := c.Write(b)
		p.must(err)
		if err := c.AwaitClose(p.wait); err != nil {
			return "open"
		}
		return "closed"
	}
}

// frameRows are about the bytes of strangers.
func frameRows() []row {
	rows := []row{
		{"Send indication, empty XOR-PEER-ADDRESS", "silence", "silence", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			return p.raw(c, emptyPeer())
		}},
		{"Send indication, empty XOR-PEER-ADDRESS, of a stranger", "silence", "silence", func(p *probe) string { return p.raw(p.dial("udp"), emptyPeer()) }},
		{"Send indication, empty XOR-PEER-ADDRESS, over TCP", "silence|closed", "silence", func(p *probe) string {
			c, _ := p.allocated("tcp", p.user())
			return p.raw(c, emptyPeer())
		}},
		{"FINGERPRINT that is wrong", "silence", "", func(p *probe) string {
			b := rawturn.AddFingerprint(rawturn.New(rawturn.Binding).Encode())
			b[len(b)-1] ^= 1
			return p.ask(p.dial("udp"), b)
		}},
		{"FINGERPRINT that is right", "success", "success", func(p *probe) string {
			return p.ask(p.dial("udp"), rawturn.AddFingerprint(rawturn.New(rawturn.Binding).Encode()))
		}},
		{"a frame in single bytes", "success", "success", func(p *probe) string {
			c, m := p.dial("tcp"), rawturn.New(rawturn.Binding)
			b := m.Encode()
			for _, one := range b[:len(b)-1] {
				_, err := c.Write([]byte{one})
				p.must(err)
			}
			_, err := c.Write(b[len(b)-1:])
			p.must(err)
			return rawturn.Word(c.Answer(m.TID, p.wait))
		}},
		{"several frames in one segment", "success", "success", func(p *probe) string {
			c, first, last := p.dial("tcp"), rawturn.New(rawturn.Binding), rawturn.New(rawturn.Binding)
			_, err := c.Write(append(first.Encode(), last.Encode()...))
			p.must(err)
			if got := rawturn.Word(c.Answer(first.TID, p.wait)); got != "success" {
				return got
			}
			return rawturn.Word(c.Answer(last.TID, p.wait))
		}},
	}
	for _, network := range []string{"tcp", "tls"} {
		rows = append(rows,
			row{"20-byte STUN frame len 0xFFEC on " + network, "closed", "", closes(network, wrapsSTUN)},
			row{"ChannelData frame len 0xFFFC on " + network, "closed", "", closes(network, append(bytes.Clone(wrapsChannel), make([]byte, 1600)...))},
			row{"STUN frame of more than 1596 bytes on " + network, "closed", "", closes(network, rawturn.New(rawturn.Binding, rawturn.Attr{Type: rawturn.Software, Value: make([]byte, 1576)}).Encode())},
			row{"ChannelData frame of more than 1596 bytes on " + network, "closed", "", closes(network, rawturn.ChannelData(0x4000, make([]byte, 1593), true))},
		)
	}
	rows = append(rows,
		row{"a first byte that is no protocol", "closed", "", closes("tcp", append([]byte{0x80}, make([]byte, 40)...))},
		row{"HTTP on the port of TURN", "closed", "", closes("tcp", []byte("GET / HTTP/1.1\r\nHost: turn\r\n\r\n"))},
		row{"a length that is no multiple of 4, on tcp", "closed", "", closes("tcp", append([]byte{0, 1, 0, 3, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 15)...))},
	)
	return append(rows, malformedRows()...)
}

// malformedRows are datagrams that look like STUN.
func malformedRows() (rows []row) {
	length := func(n uint16) []byte {
		b := rawturn.New(rawturn.Binding).Encode()
		binary.BigEndian.PutUint16(b[2:], n)
		return b
	}
	attr := func(value ...byte) []byte {
		return rawturn.Append(rawturn.New(rawturn.Binding).Encode(), rawturn.Bytes(rawturn.Software, value...))
	}
	beyond := attr(1, 2, 3, 4)
	beyond[23] = 200 // the attribute's length
	noCookie := rawturn.New(rawturn.Binding).Encode()
	noCookie[4] ^= 1
	cases := []struct {
		name string
		b    []byte
	}{
		{"an attribute beyond the end", beyond}, {"length field too long", length(8)}, {"length field too short", attr(1, 2, 3, 4)[:22]},
		{"length field no multiple of 4", append(length(3), 0, 0, 0)}, {"no magic cookie", noCookie}, {"a header cut short", rawturn.New(rawturn.Binding).Encode()[:19]},
		{"one byte", []byte{0}}, {"a Binding response", rawturn.New(0x0101).Encode()}, {"a Binding error", rawturn.New(0x0111).Encode()},
		{"an unknown indication", rawturn.New(0x0FFF&^0x0110 | 0x0010).Encode()}, {"ChannelData of a stranger", rawturn.ChannelData(0x4000, []byte("hello"), false)},
		{"ChannelData beyond its datagram", []byte{0x40, 0, 0xFF, 0xFF, 1}},
	}
	for _, c := range cases {
		rows = append(rows, row{"datagram: " + c.name, "silence", "", func(p *probe) string { return p.raw(p.dial("udp"), c.b) }})
	}
	for _, n := range []int{4, 7, 12, 19, 21} {
		rows = append(rows, row{fmt.Sprintf("CreatePermission, XOR-PEER-ADDRESS of %d bytes", n), "400|silence", "", func(p *probe) string {
			c, _ := p.allocated("udp", p.user())
			return p.do(c, rawturn.CreatePermission, rawturn.Attr{Type: rawturn.XORPeer, Value: append([]byte{0, 1, 0, 9}, make([]byte, n)...)[:n]})
		}})
	}
	return rows
}

// sizeRows are about what strangers get for their bytes.
func sizeRows() []row {
	atMost := func(times, bytes float64) string {
		if bytes <= times {
			return fmt.Sprintf("at most %gx", times)
		}
		return fmt.Sprintf("%.1fx", bytes)
	}
	return []row{
		{"unauthenticated Allocate 28 B, answer size", "at most 3x", "3.6x", func(p *probe) string {
			c, b := p.dial("udp"), rawturn.New(rawturn.Allocate, rawturn.Transport(17)).Encode()
			m, err := c.Ask(b, p.wait)
			if err != nil || m.Code() != 401 {
				return rawturn.Word(m, err)
			}
			return atMost(3, float64(m.Len())/float64(len(b)))
		}},
		{"Binding 20 B, answer size", "at most 2x", "4.0x", func(p *probe) string {
			m, err := p.dial("udp").Ask(rawturn.New(rawturn.Binding).Encode(), p.wait)
			if err != nil || !m.Success() {
				return rawturn.Word(m, err)
			}
			return atMost(2, float64(m.Len())/20)
		}},
	}
}

// peersOf returns XOR-PEER-ADDRESS attributes.
func peersOf(addrs ...string) (attrs []rawturn.Attr) {
	for _, a := range addrs {
		attrs = append(attrs, rawturn.Peer(netip.AddrPortFrom(netip.MustParseAddr(a), 7000)))
	}
	return attrs
}
