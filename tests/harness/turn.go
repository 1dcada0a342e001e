package harness

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"testing"

	"signalbox/internal/config"
)

// TURNProcess is the argument with which a test's program is the TURN process of a server that StartTURN runs, see turnchild.
const TURNProcess = "turn-process"

// StartTURN is Start with STUN and TURN on a free port, see TURNProcess.
func StartTURN(t *testing.T, changes ...func(*config.Config)) *Server {
	t.Helper()
	s := NewTURN(t, changes...)
	s.Run()
	t.Cleanup(s.Stop)
	return s
}

// NewTURN is New with STUN and TURN on a free port, see TURNProcess.
func NewTURN(t *testing.T, changes ...func(*config.Config)) *Server {
	t.Helper()
	s := New(t, append([]func(*config.Config){func(c *config.Config) { c.Listen.TURN = []string{"127.0.0.1:0"} }}, changes...)...)
	s.TURNProgram = []string{os.Args[0], TURNProcess}
	return s
}

// Balancer is the address of a load balancer, for listen.trusted_proxies.
const Balancer = "127.0.0.2"

// ConnectFrom opens a direct TLS connection through a load balancer that says where it comes from: an IPv4 address.
func (s *Server) ConnectFrom(t *testing.T, name, source string) *Stream {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(Balancer)}}
	c, err := d.DialContext(t.Context(), "tcp", s.Addr("tls"))
	if err == nil {
		_, err = fmt.Fprintf(c, "PROXY TCP4 %s 192.0.2.1 4711 443\r\n", source)
	}
	if err != nil {
		t.Fatalf("%s: connect: %v", name, err)
	}
	return newStream(t, name, tls.Client(c, s.TLS()))
}
