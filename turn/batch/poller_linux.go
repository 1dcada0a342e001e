package batch

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// poller is an epoll set in which one goroutine waits by a blocking call of its own: Go's poller would put it to sleep and wake it for nearly every packet of scattered
// traffic, which costs as much as moving the packet does.
type poller struct {
	set, stop int // descriptors of the epoll set, and of an event in it

	// Owned by the goroutine that waits.
	woke    time.Time // when the last wait ended
	yielded time.Time // when the scheduler last saw this goroutine
}

// stopped is the id of the event in the set.
const stopped = 0

// turn is how long a goroutine may run: each end of one wakes other threads, which look for work. After 10 ms the runtime takes it for one that must be interrupted, and
// its monitor then wakes up every 20 us for a while.
const turn = 9 * time.Millisecond

func newPoller() (*poller, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	p := &poller{set: set, stop: stop}
	if err != nil {
		_ = unix.Close(set)
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := p.add(stop, stopped); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// add watches a descriptor. Events carry the id.
func (p *poller) add(fd int, id uint64) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(id), Pad: int32(id >> 32)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.set, unix.EPOLL_CTL_ADD, fd, &e))
}

func idOf(e *unix.EpollEvent) uint64 { return uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32 }

// wait blocks until something can be read. Waiting a moment for the rest of a burst was measured, and gains nothing (docs/BENCHMARKS.md).
func (p *poller) wait(events []unix.EpollEvent) (int, error) {
	if p.woke.Sub(p.yielded) > turn {
		p.yielded = p.woke
		runtime.Gosched()
	}
	for {
		n, err := unix.EpollWait(p.set, events, -1)
		if err != unix.EINTR {
			p.woke = time.Now()
			return n, os.NewSyscallError("epoll_wait", err)
		}
	}
}

// wake ends all waiting, for ever.
func (p *poller) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(p.stop, one[:]) // fails only if it is set already
}

// close frees the descriptors, when nobody waits any more.
func (p *poller) close() error { return errors.Join(unix.Close(p.set), unix.Close(p.stop)) }
