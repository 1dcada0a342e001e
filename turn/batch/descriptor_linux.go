package batch

import (
	"sync"

	"golang.org/x/sys/unix"
)

// rings are the buffers of all loops.
var rings = sync.Pool{New: newRing}

// descriptor is a bare file descriptor, as the net package's share of a socket would be most of an idle allocation. It is closed when no call uses it, so that none
// meets the socket that gets its number next.
type descriptor struct {
	sender

	mu sync.RWMutex // held for reading around every use of fd
	fd int          // -1: closed
}

// receive is that of a ring.
func (d *descriptor) receive(r *ring, from, count int, control bool) (int, unix.Errno) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.fd < 0 {
		return 0, unix.EBADF
	}
	return r.receive(d.fd, from, count, control)
}

func (d *descriptor) Send(out []Packet) (failed int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.fd < 0 {
		return fail(out)
	}
	return d.send(d.fd, out)
}

// Close also takes the descriptor out of epoll sets.
func (d *descriptor) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
		d.fd = -1
	}
}

// hand gives datagrams to a handler.
func (r *ring) hand(h Handler, tag any, from, n int) {
	for i := from; i < from+n; i++ {
		h.Handle(tag, &r.data[i])
	}
}
