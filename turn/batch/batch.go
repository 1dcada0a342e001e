// Package batch is datagram sockets that take and give many packets per system call: recvmmsg, sendmmsg and UDP segmentation offload on Linux, one packet per call
// elsewhere or where that is asked for. Both move the same bytes. Nothing is allocated per packet, and buffers are held only while packets are in them.
package batch

import (
	"errors"
	"net"
	"net/netip"
)

// Sizes in bytes and packets.
const (
	Headroom    = 64      // free in the buffer before every payload that was received: for the header of what it goes on in
	MaxDatagram = 1980    // the longest payload that is received; of a longer one Datagram.Long tells, and its bytes are not to be used
	Most        = 64      // packets that one round of receiving holds, and that one system call is given
	roomSize    = 2048    // of one buffer: headroom, payload, and what is left for padding
	mostErrors  = 1000    // of receiving, in a row: a single packet's error ends no loop, but a socket that gives nothing else is broken
	bufferSize  = 4 << 20 // asked for in each direction of a socket that many clients share; the system gives what it allows
	maxSegments = Most    // packets in one message of segmentation offload
	maxMessage  = 65000   // their bytes
)

// Datagram is one packet as it was received. It and its buffer are the handler's until its Flush returns.
type Datagram struct {
	From netip.AddrPort // an IPv4 address is never an IPv4-mapped one, and there is no zone
	To   netip.Addr     // the address that it was sent to, if the socket is bound to a wildcard address and the system tells; else not valid
	Long bool           // longer than MaxDatagram: the bytes are not all there

	n    int
	room *[roomSize]byte
}

// Payload returns the bytes that were received.
func (d *Datagram) Payload() []byte { return d.room[Headroom:][:d.n] }

// Room returns the whole buffer: Headroom bytes, the payload, and at least 4 bytes behind the longest payload.
func (d *Datagram) Room() []byte { return d.room[:] }

// Packet is one datagram to send.
type Packet struct {
	Data []byte
	To   netip.AddrPort
	From netip.Addr // the source address, for sockets bound to a wildcard address; not valid: the system chooses

	Failed bool // set by Send: the system did not take it
}

// fail marks packets and returns how many.
func fail(out []Packet) int {
	for i := range out {
		out[i].Failed = true
	}
	return len(out)
}

// Handler takes what sockets receive. Its methods are called by one goroutine, Handle for each datagram and then Flush: what Handle put aside must be gone when
// Flush returns, as the buffers are used again.
type Handler interface {
	Handle(tag any, d *Datagram)
	Flush()
}

// Conn is a socket that many clients share.
type Conn interface {
	// Serve hands everything that is received to h, with this tag, until the socket is closed (nil) or broken.
	Serve(tag any, h Handler) error
	// Send sends packets in their order without waiting, marks those that could not be sent (no route, too long, no room in the socket's buffer) and returns how
	// many these are. It may be called concurrently.
	Send(out []Packet) (failed int)
	// Local returns the address that the socket is bound to.
	Local() netip.AddrPort
	// Close ends Serve; it is idempotent, and may be called by a handler.
	Close() error
}

// NewConn takes over a bound socket, which the caller must not use any more, but closes if there is an error. One bound to a wildcard address receives on every address of the machine: Datagram.To says on which, and an answer leaves from
// there with Packet.From. Portable sockets do not know it, and the system chooses; on machines with several addresses bind one portable socket to each.
func NewConn(c *net.UDPConn, portable bool) (Conn, error) {
	local, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return nil, errors.New("the datagram socket is not bound to an IP address")
	}
	_ = c.SetReadBuffer(bufferSize) // less is only less
	_ = c.SetWriteBuffer(bufferSize)
	at := local.AddrPort()
	at = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
	if portable {
		return &portableConn{conn: c, local: at}, nil
	}
	return newConn(c, at)
}

// Socket is one of a Group's.
type Socket interface {
	// Send is that of Conn. After Close it sends nothing.
	Send(out []Packet) (failed int)
	// Close is idempotent; nothing is sent and nothing is received when it returned, but a round that took datagrams before may still hand them to its handler.
	Close()
}

// Group is many sockets of which most are silent: on Linux one loop watches all of them, elsewhere each has its goroutine and its buffer of 2 KiB.
type Group interface {
	// Open binds a socket and begins to receive. The error of an address in use is one for errors.Is with syscall.EADDRINUSE.
	Open(local netip.AddrPort, tag any) (Socket, error)
	// Run hands what the sockets receive to handlers until stop is closed, and closes those that are open then. It runs once. No other error than that of the system's
	// waiting ends it.
	Run(stop <-chan struct{}) error
}

// NewGroup returns an empty group. Each loop of it makes its own handler. Run frees what NewGroup opened.
func NewGroup(handler func() Handler, portable bool) (Group, error) {
	if portable {
		return &portableGroup{handler: handler}, nil
	}
	return newGroup(handler)
}
