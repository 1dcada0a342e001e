package turninterop

import (
	"bytes"
	stdtls "crypto/tls"
	"fmt"
	"net"
	"testing"
	"time"

	pturn "github.com/pion/turn/v2"

	"signalbox/tests/harness"
)

// tryPion has both sides of a session relay to each other: first in indications, then, once channels are bound, in ChannelData. Then they give their allocations back.
func tryPion(t *testing.T, s *stage, over transport) {
	a, b := newPion(t, s, over, s.a), newPion(t, s, over, s.b)
	for _, c := range []struct{ from, to *pion }{{a, b}, {b, a}} {
		if err := c.from.CreatePermission(c.to.relay.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	sizes := []int{5, 6, 7, 8, 1200}
	if over == udp {
		sizes = append(sizes, 0, 1, 3, 4) // of a stream, pion waits for nine bytes
	}
	for n := range 300 { // the first few before a channel is bound
		size := sizes[n%len(sizes)]
		packet := bytes.Repeat([]byte{byte(n)}, size)
		a.send(t, packet, b)
		b.send(t, packet, a)
	}
	if mapped, err := a.SendBindingRequest(); err != nil || mapped == nil {
		t.Errorf("a Binding request is answered with %v, %v", mapped, err)
	}
	for _, c := range []*pion{a, b} {
		if err := c.relay.Close(); err != nil {
			t.Error(err)
		}
	}
}

// pion is a client with an allocation.
type pion struct {
	*pturn.Client
	relay net.PacketConn
}

func newPion(t *testing.T, s *stage, over transport, user credential) *pion {
	t.Helper()
	addr := s.addr(over)
	conn := s.packetConn(t, over)
	c, err := pturn.NewClient(&pturn.ClientConfig{STUNServerAddr: addr, TURNServerAddr: addr, Username: user.Username, Password: user.Credential, Conn: conn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		_ = conn.Close()
	})
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	relay, err := c.Allocate()
	if err != nil {
		t.Fatalf("allocate: %v", err)
	}
	return &pion{c, relay}
}

// packetConn connects to the server as pion wants it.
func (s *stage) packetConn(t *testing.T, over transport) net.PacketConn {
	t.Helper()
	var conn net.Conn
	var err error
	switch over {
	case udp:
		host, _, _ := net.SplitHostPort(s.addr(udp))
		c, err := net.ListenPacket("udp4", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	case tcp:
		conn, err = net.Dial("tcp", s.addr(tcp))
	case tls:
		conn, err = stdtls.Dial("tcp", s.addr(tls), &stdtls.Config{ServerName: harness.Domain, RootCAs: s.roots, MinVersion: stdtls.VersionTLS12})
	}
	if err != nil {
		t.Fatal(err)
	}
	return pturn.NewSTUNConn(conn)
}

// send sends a packet and fails unless it arrives with the sender's relayed address.
func (p *pion) send(t *testing.T, packet []byte, to *pion) {
	t.Helper()
	if _, err := p.relay.WriteTo(packet, to.relay.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := to.relay.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1500)
	n, from, err := to.relay.ReadFrom(buf)
	if err != nil {
		t.Fatalf("a packet of %d bytes does not arrive: %v", len(packet), err)
	}
	if got := fmt.Sprint(from); !bytes.Equal(buf[:n], packet) || got != p.relay.LocalAddr().String() {
		t.Fatalf("%d bytes %.8x arrive from %s, want %d bytes %.8x from %s", n, buf[:n], got, len(packet), packet, p.relay.LocalAddr())
	}
}
