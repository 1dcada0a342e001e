//go:build unix

package harness

import (
	"net"
	"strconv"
	"syscall"
	"testing"
)

// HoldPort returns an address with a free port of loopback that no other program gets until the test ends, unless it asks for that very port: a server of the test may listen
// there, end, and listen there again. While none does, connections are refused.
func HoldPort(t *testing.T) (address string) {
	t.Helper()
	// A socket that is bound and does not listen is not in the way of one that does, since both say SO_REUSEADDR, as the net package does for listeners.
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(bound.(*syscall.SockaddrInet4).Port))
}
