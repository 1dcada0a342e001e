package peer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxFrame       = 8 << 10 // of TURN in a stream; the library's counter wraps at 64 KiB
	maxReadErrors  = 64      // one behind the other, after which a socket is given up
	streamDeadline = 30 * time.Second
)

// allocation watches how one TURN server answers.
type allocation struct {
	rung  string
	net   *network
	ready func() // it has allocated
	named atomic.Bool
	once  sync.Once
}

// sending sees a packet to the server.
func (a *allocation) sending(b []byte) {
	if a != nil && isSTUN(b) && stunType(b) == allocateRequest && hasUsername(b) {
		a.named.Store(true)
	}
}

// received sees a sound packet from the server. The first error is a question for the user's name (RFC 8489 section 9.2.4).
func (a *allocation) received(b []byte) {
	if a == nil || !isSTUN(b) {
		return
	}
	switch stunType(b) {
	case allocateSuccess:
		a.once.Do(func() {
			a.ready()
			a.net.tries.allocated(a.rung, relayedIn(b))
		})
	case allocateError:
		if code := errorOf(b); code != 401 || a.named.Load() {
			a.once.Do(func() { a.net.tries.failed(a.rung, "the server refuses: "+refusal(code)) })
		}
	}
}

// refusal says what a code means (RFC 8656 section 19).
func refusal(code int) string {
	meaning, ok := map[int]string{401: "wrong credentials", 403: "forbidden", 437: "allocation mismatch", 438: "stale nonce", 441: "wrong credentials", 486: "quota reached", 508: "no capacity"}[code]
	if !ok {
		return strconv.Itoa(code)
	}
	return fmt.Sprintf("%d, %s", code, meaning)
}

// socket is a UDP socket of the library.
type socket struct {
	*net.UDPConn
	net  *network
	turn *allocation // nil: not for a TURN server
	once sync.Once
	err  error
}

// ReadFrom returns the next packet that the library may see. An error that is about one packet alone, as Windows reports unreachable ports, ends nothing.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	for errs := 0; ; {
		n, from, err := s.UDPConn.ReadFrom(b)
		switch {
		case err == nil && isSTUN(b[:n]) && !sound(b[:n]):
			errs = 0
		case err == nil:
			s.turn.received(b[:n])
			return n, from, nil
		case errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) || errs == maxReadErrors:
			return n, from, err
		default:
			errs++
		}
	}
}

// WriteTo sends a packet.
func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	s.net.count()
	s.turn.sending(b)
	return s.UDPConn.WriteTo(b, to)
}

// Close closes the socket, once.
func (s *socket) Close() error {
	s.once.Do(func() {
		s.net.forget(s)
		s.err = s.UDPConn.Close()
	})
	return s.err
}

// stream is a connection to a TURN server by TCP or TLS. One Read returns one frame that was checked, so that the library neither spins over a wrong length nor piles up
// calls over a frame that comes byte by byte.
type stream struct {
	net.Conn
	net   *network
	turn  *allocation
	r     *bufio.Reader
	frame [maxFrame]byte
	rest  []byte // of a frame that did not fit into what Read was given
	once  sync.Once
	err   error
}

// Read returns the next frame.
func (s *stream) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		if s.r == nil {
			s.r = bufio.NewReaderSize(s.Conn, maxFrame)
		}
		f, err := readFrame(s.r, s.frame[:])
		if err != nil {
			return 0, err
		}
		s.turn.received(f)
		s.rest = f
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// errFrame is what ends a stream in which something else than TURN comes.
var errFrame = errors.New("the server sent what is no frame of TURN")

// readFrame reads a STUN message or ChannelData (RFC 8656 section 12.5) into buf.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:4]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(buf[2:]))
	stun := buf[0]&0xC0 == 0
	switch {
	case stun && n%4 == 0:
		n += stunHeader
	case buf[0]&0xF0 == 0x40:
		n = 4 + (n+3)&^3
	default:
		return nil, errFrame
	}
	if n > len(buf) {
		return nil, errFrame
	}
	f := buf[:n]
	if _, err := io.ReadFull(r, f[4:]); err != nil {
		return nil, err
	}
	if stun && (!isSTUN(f) || !sound(f)) {
		return nil, errFrame
	}
	return f, nil
}

// Write sends a frame. A server that takes nothing loses the connection.
func (s *stream) Write(b []byte) (int, error) {
	s.net.count()
	s.turn.sending(b)
	if err := s.Conn.SetWriteDeadline(time.Now().Add(streamDeadline)); err != nil {
		return 0, err
	}
	n, err := s.Conn.Write(b)
	if err != nil {
		return n, errors.Join(err, s.Close()) // half a frame may be on its way
	}
	return n, nil
}

// Close closes the connection, once.
func (s *stream) Close() error {
	s.once.Do(func() {
		s.net.forget(s)
		s.err = s.Conn.Close()
	})
	return s.err
}
