//go:build !unix

package harness

import (
	"net"
	"testing"
)

// HoldPort returns an address with a free port of loopback. Here another program may get it.
func HoldPort(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
