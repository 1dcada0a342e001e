//go:build !linux

package batch

import (
	"net"
	"net/netip"
)

func newConn(c *net.UDPConn, local netip.AddrPort) (Conn, error) {
	return &portableConn{conn: c, local: local}, nil
}

func newGroup(handler func() Handler) (Group, error) {
	return &portableGroup{handler: handler}, nil
}
