package batch

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// sender is the sending half of a Linux socket. It may be used concurrently.
type sender struct {
	v6 bool
	// largest is the largest segment that the kernel takes in one message with others, 0 if it takes none: it refuses offload for a device that cannot do it, and
	// for segments beyond the path's MTU, which single packets pass in fragments.
	largest atomic.Int32
}

func (s *sender) init(v6 bool) {
	s.v6 = v6
	s.largest.Store(MaxDatagram)
}

// outbox is the arguments of one sendmmsg; ends[i] is where the packets of message i end.
type outbox struct {
	messages
	ends [Most]int
}

var outboxes = sync.Pool{New: func() any { return new(outbox) }}

// send gives packets to the kernel in as few calls as it takes and returns how many it refused.
func (s *sender) send(fd int, out []Packet) (failed int) {
	if len(out) == 1 && !out[0].From.IsValid() {
		if sendOne(fd, out[0].Data, out[0].To, s.v6) != 0 {
			return fail(out)
		}
		return 0
	}
	o := outboxes.Get().(*outbox)
	defer outboxes.Put(o)
	for len(out) > 0 {
		part := out[:min(len(out), Most)]
		failed += s.sendPart(fd, o, part, int(s.largest.Load()))
		out = out[len(part):]
	}
	return failed
}

// sendPart sends at most Most packets, of which those that follow each other to the same address and have the same size go as segments of one message.
func (s *sender) sendPart(fd int, o *outbox, out []Packet, largest int) (failed int) {
	count := o.fill(out, s.v6, largest)
	for i := 0; i < count; {
		n, errno := multiple(unix.SYS_SENDMMSG, fd, o.headers[i:count])
		if i += n; errno == 0 {
			continue
		}
		first := 0
		if i > 0 {
			first = o.ends[i-1]
		}
		refused := out[first:o.ends[i]]
		switch {
		case errno == unix.EAGAIN: // no room in the socket's buffer: waiting would hold up everybody
			return failed + fail(out[first:])
		case len(refused) > 1 && s.limit(errno, len(refused[0].Data)):
			return failed + s.sendPart(fd, o, out[first:], int(s.largest.Load()))
		}
		failed += fail(refused)
		i++
	}
	return failed
}

// limit remembers which segments the kernel does not take; false: the error is of another kind, and single packets would meet it, too.
func (s *sender) limit(errno unix.Errno, size int) bool {
	switch errno {
	case unix.EINVAL, unix.EMSGSIZE:
		s.largest.Store(int32(size - 1))
	case unix.EIO, unix.EOPNOTSUPP, unix.ENOPROTOOPT:
		s.largest.Store(0)
	default:
		return false
	}
	return true
}

// fill makes messages of packets and returns how many.
func (o *outbox) fill(out []Packet, v6 bool, largest int) (count int) {
	for i := 0; i < len(out); count++ {
		end := i + run(out[i:], largest)
		for j := i; j < end; j++ {
			o.setData(j, out[j].Data)
		}
		size := 0
		if end-i > 1 {
			size = len(out[i].Data)
		}
		o.set(count, i, end, &out[i], v6, size)
		o.ends[count] = end
		i = end
	}
	return count
}

// run returns how many packets, from the first on, can be segments of one message: to and from the same address, all of one size but the last, which may be shorter.
func run(out []Packet, largest int) int {
	first := &out[0]
	size := len(first.Data)
	if size == 0 || size > largest {
		return 1
	}
	n := 1
	for ; n < min(len(out), maxSegments, maxMessage/size); n++ {
		p := &out[n]
		if len(p.Data) == 0 || len(p.Data) > size || p.To != first.To || p.From != first.From {
			break
		}
		if len(p.Data) < size {
			return n + 1
		}
	}
	return n
}
