package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// STUN (RFC 8489), as much of it as a Binding is made of.
const (
	stunHeader       = 20
	stunCookie       = 0x2112A442
	bindingRequest   = 0x0001
	bindingSuccess   = 0x0101
	xorMappedAddress = 0x0020
	maxBinding       = 1500 // bytes of an answer
	askAgain         = 500 * time.Millisecond
)

// Errors of a Binding, which are what the line says.
var (
	errNoSTUN    = errors.New("answers something that is no STUN")
	errNoAddress = errors.New("answers without saying where it sees us")
)

// bind asks a STUN server over a connection at which address it sees us. A connection to a datagram socket is asked again each half second (RFC 8489 section 6.2.1)
// until ctx or patience ends.
func (x *examination) bind(ctx context.Context, conn net.Conn) (netip.AddrPort, error) {
	request := newBinding()
	if _, ok := conn.(*net.UDPConn); ok {
		return x.bindDatagrams(ctx, conn, request)
	}
	if _, err := conn.Write(request); err != nil {
		return netip.AddrPort{}, err
	}
	answer := make([]byte, stunHeader, maxBinding)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return netip.AddrPort{}, err
	}
	size := stunHeader + int(binary.BigEndian.Uint16(answer[2:]))
	if !isAnswer(answer, request) || size > maxBinding {
		return netip.AddrPort{}, errNoSTUN
	}
	if _, err := io.ReadFull(conn, answer[stunHeader:size]); err != nil {
		return netip.AddrPort{}, err
	}
	return mappedAddress(answer[:size], request)
}

func (x *examination) bindDatagrams(ctx context.Context, conn net.Conn, request []byte) (netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, x.patience)
	defer cancel()
	answer := make([]byte, maxBinding)
	for {
		if _, err := conn.Write(request); err != nil {
			return netip.AddrPort{}, err
		}
		if err := conn.SetReadDeadline(time.Now().Add(min(askAgain, x.patience))); err != nil {
			return netip.AddrPort{}, err
		}
		n, err := conn.Read(answer)
		switch {
		case err == nil:
			return mappedAddress(answer[:n], request)
		case !isTimeout(err) || ctx.Err() != nil:
			return netip.AddrPort{}, err
		}
	}
}

// newBinding is a Binding request without attributes.
func newBinding() []byte {
	b := make([]byte, stunHeader)
	binary.BigEndian.PutUint16(b, bindingRequest)
	binary.BigEndian.PutUint32(b[4:], stunCookie)
	_, _ = rand.Read(b[8:]) // never fails, see crypto/rand
	return b
}

// isAnswer reports whether a header answers the request: its transaction is the same.
func isAnswer(header, request []byte) bool {
	return len(header) >= stunHeader && header[0]&0xC0 == 0 && bytes.Equal(header[4:stunHeader], request[4:stunHeader])
}

// mappedAddress reads the XOR-MAPPED-ADDRESS (RFC 8489 section 14.2) of an answer to the request.
func mappedAddress(answer, request []byte) (netip.AddrPort, error) {
	if !isAnswer(answer, request) || len(answer) != stunHeader+int(binary.BigEndian.Uint16(answer[2:])) {
		return netip.AddrPort{}, errNoSTUN
	}
	if kind := binary.BigEndian.Uint16(answer); kind != bindingSuccess {
		return netip.AddrPort{}, fmt.Errorf("refuses a Binding (message type 0x%04X)", kind)
	}
	for rest := answer[stunHeader:]; len(rest) >= 4; {
		kind, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		padded := 4 + (size+3)&^3
		if padded > len(rest) {
			return netip.AddrPort{}, errNoSTUN
		}
		if kind == xorMappedAddress {
			return readAddress(rest[4:4+size], answer[4:stunHeader])
		}
		rest = rest[padded:]
	}
	return netip.AddrPort{}, errNoAddress
}

// readAddress takes the value of the attribute apart; mask is cookie and transaction.
func readAddress(value, mask []byte) (netip.AddrPort, error) {
	sizes := map[byte]int{1: 4, 2: 16} // bytes of an address of each family
	if len(value) < 4 || sizes[value[1]] == 0 || len(value) != 4+sizes[value[1]] {
		return netip.AddrPort{}, errNoSTUN
	}
	addr := bytes.Clone(value[4:])
	for i := range addr {
		addr[i] ^= mask[i]
	}
	a, _ := netip.AddrFromSlice(addr) // 4 or 16 bytes
	return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(value[2:])^binary.BigEndian.Uint16(mask)), nil
}
