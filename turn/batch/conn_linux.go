package batch

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// conn is a socket with a poller of its own.
type conn struct {
	descriptor
	local   netip.AddrPort
	control bool // bound to a wildcard address

	state           sync.Mutex
	poller          *poller
	serving, closed bool // whoever makes an end of the second of the two closes the poller
}

// newConn duplicates the descriptor, as one of the net package could not be closed while Serve uses it.
func newConn(c *net.UDPConn, local netip.AddrPort) (Conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &conn{local: local, control: local.Addr().IsUnspecified()}
	var takeErr error
	err = raw.Control(func(fd uintptr) { takeErr = s.take(int(fd)) })
	if err := errors.Join(err, takeErr); err != nil {
		return nil, err
	}
	s.poller, err = newPoller()
	if err == nil {
		err = s.poller.add(s.fd, stopped+1)
	}
	if err := errors.Join(err, c.Close()); err != nil {
		s.descriptor.Close()
		return nil, err
	}
	return s, nil
}

// take duplicates a descriptor, finds its family, and asks for the destination of what it receives where that is not its own address.
func (c *conn) take(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	c.init(domain == unix.AF_INET6)
	switch {
	case !c.control:
	case c.v6:
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	default:
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	if err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	c.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return os.NewSyscallError("fcntl", err)
}

func (c *conn) Local() netip.AddrPort { return c.local }

func (c *conn) Close() error {
	c.descriptor.Close()
	c.state.Lock()
	defer c.state.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	c.poller.wake()
	if c.serving {
		return nil // Serve closes it
	}
	return c.poller.close()
}

func (c *conn) Serve(tag any, h Handler) (err error) {
	c.state.Lock()
	closed := c.closed
	c.serving = !closed
	c.state.Unlock()
	if closed {
		return nil
	}
	err = c.serve(tag, h)
	c.state.Lock()
	defer c.state.Unlock()
	c.serving = false
	if c.closed {
		return errors.Join(err, c.poller.close())
	}
	return err
}

func (c *conn) serve(tag any, h Handler) error {
	events := make([]unix.EpollEvent, 2)
	for errs := 0; ; {
		ready, err := c.poller.wait(events)
		if err != nil {
			return err
		}
		for i := range events[:ready] {
			if idOf(&events[i]) == stopped {
				return nil
			}
		}
		if errno := c.round(tag, h); errno == 0 || errno == unix.EAGAIN { // the kernel wakes us for datagrams that it drops when they are read, for their checksum
			errs = 0
		} else if errs++; errs == mostErrors {
			return os.NewSyscallError("recvmmsg", errno)
		}
	}
}

// round takes what is there, but no more than a ring, which it holds only so long.
func (c *conn) round(tag any, h Handler) unix.Errno {
	r := rings.Get().(*ring)
	defer rings.Put(r)
	n, errno := c.receive(r, 0, Most, c.control)
	if n > 0 {
		r.hand(h, tag, 0, n)
		h.Flush()
	}
	return errno
}
