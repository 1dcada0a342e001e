package batch

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file is all of the package that is unsafe: the structures that recvmmsg, sendmmsg and their control messages take.

// messages are the arguments of one recvmmsg or sendmmsg. Message i uses name i and control i; slices i are bytes of packets.
type messages struct {
	headers  [Most]unix.Mmsghdr
	slices   [Most]unix.Iovec
	names    [Most]unix.RawSockaddrInet6 // or an Inet4, which is shorter
	controls [Most][controlSize / 8]uint64
}

// controlSize has room for the address of one side and the size of segments.
const controlSize = 64

// ring is buffers for what one round receives, with the arguments that lead there. Rings come from a pool and are held only while something is in them.
type ring struct {
	messages
	data [Most]Datagram
	room [Most][roomSize]byte
}

func newRing() any {
	r := new(ring)
	for i := range r.headers {
		r.data[i].room = &r.room[i]
		r.slices[i].Base = &r.room[i][Headroom]
		r.slices[i].SetLen(MaxDatagram)
		h := &r.headers[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.slices[i]
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&r.controls[i]))
	}
	return r
}

// receive fills places from on, at most count, without waiting. Control messages are read where control is set. It returns how many came.
func (r *ring) receive(fd, from, count int, control bool) (int, unix.Errno) {
	for i := from; i < from+count; i++ {
		h := &r.headers[i].Hdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(0)
		if control {
			h.SetControllen(controlSize)
		}
	}
	n, errno := multiple(unix.SYS_RECVMMSG, fd, r.headers[from:from+count])
	for i := from; i < from+n; i++ {
		d, h := &r.data[i], &r.headers[i]
		d.n = int(h.Len)
		d.Long = h.Hdr.Flags&unix.MSG_TRUNC != 0
		d.From = address(&r.names[i])
		d.To = netip.Addr{}
		if control {
			d.To = arrivedAt(&h.Hdr)
		}
	}
	return n, errno
}

// multiple is recvmmsg or sendmmsg, which never waits and is called again where a signal interrupted it. As it is over soon, the scheduler is not told.
func multiple(call uintptr, fd int, headers []unix.Mmsghdr) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(headers))), uintptr(len(headers)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case unix.EINTR:
			continue
		}
		return 0, errno
	}
}

// sendOne is sendto, which is cheaper than sendmmsg for a single packet.
func sendOne(fd int, data []byte, to netip.AddrPort, v6 bool) unix.Errno {
	var name unix.RawSockaddrInet6
	size := setAddress(&name, to, v6)
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)), unix.MSG_DONTWAIT,
			uintptr(unsafe.Pointer(&name)), uintptr(size))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// set makes message i one of slices [from, to), which go to the same address; segments of size bytes if it is not 0.
func (m *messages) set(i, from, to int, p *Packet, v6 bool, size int) {
	h := &m.headers[i].Hdr
	h.Name = (*byte)(unsafe.Pointer(&m.names[i]))
	h.Namelen = uint32(setAddress(&m.names[i], p.To, v6))
	h.Iov = &m.slices[from]
	h.SetIovlen(to - from)
	c := unsafe.Slice((*byte)(unsafe.Pointer(&m.controls[i])), controlSize)
	n := 0
	if size != 0 {
		n = setControl(c, unix.SOL_UDP, unix.UDP_SEGMENT, 2)
		binary.NativeEndian.PutUint16(c[unix.CmsgLen(0):], uint16(size))
	}
	if p.From.IsValid() {
		n += setSource(c[n:], p.From, v6)
	}
	h.Control = nil
	if n > 0 {
		h.Control = &c[0]
	}
	h.SetControllen(n)
}

// setData makes slice i these bytes.
func (m *messages) setData(i int, data []byte) {
	m.slices[i].Base = unsafe.SliceData(data)
	m.slices[i].SetLen(len(data))
}

// setControl writes the header of a control message and returns the space that it takes.
func setControl(c []byte, level, typ int32, size int) int {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&c[0]))
	h.Level, h.Type = level, typ
	h.SetLen(unix.CmsgLen(size))
	return unix.CmsgSpace(size)
}

// setSource writes the control message that chooses the source address.
func setSource(c []byte, from netip.Addr, v6 bool) int {
	if v6 {
		n := setControl(c, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
		info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&c[unix.CmsgLen(0)]))
		*info = unix.Inet6Pktinfo{Addr: from.As16()}
		return n
	}
	n := setControl(c, unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
	info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&c[unix.CmsgLen(0)]))
	*info = unix.Inet4Pktinfo{Spec_dst: from.As4()}
	return n
}

// arrivedAt returns the address that a received message was sent to.
func arrivedAt(h *unix.Msghdr) netip.Addr {
	if int(h.Controllen) < unix.CmsgLen(0) {
		return netip.Addr{}
	}
	c := (*unix.Cmsghdr)(unsafe.Pointer(h.Control))
	data := unsafe.Add(unsafe.Pointer(h.Control), unix.CmsgLen(0))
	switch {
	case c.Level == unix.IPPROTO_IP && c.Type == unix.IP_PKTINFO:
		return netip.AddrFrom4((*unix.Inet4Pktinfo)(data).Addr)
	case c.Level == unix.IPPROTO_IPV6 && c.Type == unix.IPV6_PKTINFO:
		return netip.AddrFrom16((*unix.Inet6Pktinfo)(data).Addr).Unmap()
	}
	return netip.Addr{}
}

// address reads what the kernel wrote.
func address(name *unix.RawSockaddrInet6) netip.AddrPort {
	port := portOf(&name.Port)
	if name.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), port)
}

// setAddress writes an address for a socket of either family and returns its size. An IPv6 address cannot be written for an IPv4 socket, and the kernel refuses it.
func setAddress(name *unix.RawSockaddrInet6, to netip.AddrPort, v6 bool) int {
	if !v6 && to.Addr().Is4() {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		four.Family, four.Addr = unix.AF_INET, to.Addr().As4()
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&four.Port))[:], to.Port())
		return unix.SizeofSockaddrInet4
	}
	*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: to.Addr().As16()}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&name.Port))[:], to.Port())
	return unix.SizeofSockaddrInet6
}

func portOf(port *uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(port))[:])
}
