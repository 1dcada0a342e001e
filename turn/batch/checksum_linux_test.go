package batch

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestWrongChecksums: datagrams that wake the poller and are gone when they are read are no errors of the socket, however many come in a row.
func TestWrongChecksums(t *testing.T) {
	raw, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if errors.Is(err, unix.EPERM) {
		t.Skip("only root can send them")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(raw) }()
	peer := open(t, netip.MustParseAddrPort("127.0.0.1:0"))
	c, received := serve(t, netip.MustParseAddrPort("127.0.0.1:0"), false)
	wrong, to := wrongChecksum(c.Local()), &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	for range 2 * mostErrors {
		if err := unix.Sendto(raw, wrong, 0, to); err != nil {
			t.Fatal(err)
		}
		<-time.After(50 * time.Microsecond) // each wakes it, not many once
	}
	if _, err := peer.WriteToUDPAddrPort([]byte("good"), c.Local()); err != nil {
		t.Fatal(err)
	}
	if g := take(t, received); g.data != "good" {
		t.Errorf("received %q", g.data)
	}
}

// wrongChecksum is an IPv4 datagram too long for the kernel to sum it up before it is read; the kernel fills in what is missing of the IP header.
func wrongChecksum(to netip.AddrPort) []byte {
	const header, length = 28, 228
	b := make([]byte, length)
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_UDP
	copy(b[12:], []byte{127, 0, 0, 1, 127, 0, 0, 1})
	binary.BigEndian.PutUint16(b[20:], 9)
	binary.BigEndian.PutUint16(b[22:], to.Port())
	binary.BigEndian.PutUint16(b[24:], length-20)
	binary.BigEndian.PutUint16(b[26:], 1)
	copy(b[header:], "wrong")
	return b
}
