package batch

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// sender is the sending half of a Linux socket. It may be used concurrently.
type sender struct {
	v6     bool
	single atomic.Bool // the kernel takes no message of several segments: a device cannot do it

	// Where segments were beyond the path's MTU, which single packets pass in fragments: each message there is one packet. An address has one place by its hash, which is 0
	// for none; it is offered segments again when another has taken its place.
	narrow  [narrowPlaces]atomic.Uint64
	narrows atomic.Bool // there was one ever
}

const narrowPlaces = 64

var narrowSeed = maphash.MakeSeed()

func (s *sender) init(v6 bool) { s.v6 = v6 }

// whole reports whether packets to an address must not be segments of a message.
func (s *sender) whole(to netip.AddrPort) bool {
	if s.single.Load() {
		return true
	}
	if !s.narrows.Load() {
		return false
	}
	h := maphash.Comparable(narrowSeed, to)
	return s.narrow[h%narrowPlaces].Load() == h
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
		failed += s.sendPart(fd, o, part)
		out = out[len(part):]
	}
	return failed
}

// sendPart sends at most Most packets, of which those that follow each other to the same address and have the same size go as segments of one message.
func (s *sender) sendPart(fd int, o *outbox, out []Packet) (failed int) {
	count := o.fill(out, s)
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
		case len(refused) > 1 && s.limit(errno, refused[0].To):
			return failed + s.sendPart(fd, o, out[first:])
		}
		failed += fail(refused)
		i++
	}
	return failed
}

// limit remembers where the kernel does not take segments; false: the error is of another kind, and single packets would meet it, too.
func (s *sender) limit(errno unix.Errno, to netip.AddrPort) bool {
	switch errno {
	case unix.EINVAL, unix.EMSGSIZE:
		h := maphash.Comparable(narrowSeed, to)
		s.narrow[h%narrowPlaces].Store(h)
		s.narrows.Store(true)
	case unix.EIO, unix.EOPNOTSUPP, unix.ENOPROTOOPT:
		s.single.Store(true)
	default:
		return false
	}
	return true
}

// fill makes messages of packets and returns how many.
func (o *outbox) fill(out []Packet, s *sender) (count int) {
	for i := 0; i < len(out); count++ {
		end := i + 1
		if i+1 < len(out) && !s.whole(out[i].To) {
			end = i + run(out[i:])
		}
		for j := i; j < end; j++ {
			o.setData(j, out[j].Data)
		}
		size := 0
		if end-i > 1 {
			size = len(out[i].Data)
		}
		o.set(count, i, end, &out[i], s.v6, size)
		o.ends[count] = end
		i = end
	}
	return count
}

// run returns how many packets, from the first on, can be segments of one message: to and from the same address, all of one size but the last, which may be shorter.
func run(out []Packet) int {
	first := &out[0]
	size := len(first.Data)
	if size == 0 || size > MaxDatagram {
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
