package batch

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// mostBurst is how many packets one socket may take of a round.
const mostBurst = Most / 2

// socketBuffer is asked for, in bytes, so that a peer's burst finds room while the loop is elsewhere; nothing of it is taken by a silent socket.
const socketBuffer = 1 << 20

// socket is one of a group's.
type socket struct {
	descriptor
	group *group
	tag   any
	id    uint64

	// The loop's own.
	round uint64 // the last in which it had something
	burst bool   // that were several packets
}

// bind opens the socket.
func (s *socket) bind(local netip.AddrPort) error {
	domain := unix.AF_INET
	if s.v6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if s.v6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer) // less is only less
	if err == nil {
		err = unix.Bind(fd, sockaddr(local))
	}
	if err != nil {
		_ = unix.Close(fd)
		return os.NewSyscallError("bind", err)
	}
	s.fd = fd
	return nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// most is how many packets this round asks for: a burst of a socket that had several when it last had something, or had something in the round before; else one, as
// scattered packets cost less so.
func (s *socket) most(round uint64) int {
	if s.burst || s.round+1 == round {
		return mostBurst
	}
	return 1
}

// had remembers what a round found.
func (s *socket) had(packets int, round uint64) { s.burst, s.round = packets > 1, round }

func (s *socket) Close() {
	s.group.mu.Lock()
	delete(s.group.open, s.id)
	s.group.mu.Unlock()
	s.descriptor.Close()
}
