// Package wire reads and writes the bytes of STUN (RFC 8489) and TURN (RFC 8656): a strict parser and a builder that do no I/O and do not allocate.
package wire

import (
	"encoding/binary"
	"errors"
)

// MaxFrame is the longest frame in bytes, header and padding included: a Send indication around an Ethernet frame's payload, and room for more attributes.
const MaxFrame = 1596

const (
	headerSize        = 20
	channelHeaderSize = 4
	cookie            = 0x2112A442 // RFC 8489 section 5
)

// Channel numbers that may be bound, RFC 8656 section 12.
const (
	MinChannel = 0x4000
	MaxChannel = 0x4FFF
)

// ErrFrame is returned for the beginning of a frame that is neither STUN nor ChannelData, or longer than MaxFrame: a stream cannot go on behind it.
var ErrFrame = errors.New("not a STUN or ChannelData frame of a length that is taken")

// Kind is what the first byte of a frame or datagram announces.
type Kind uint8

// Kinds of frames, RFC 8656 section 12.
const (
	Invalid Kind = iota
	STUN
	ChannelData
)

// KindOf returns what begins with this byte: STUN where the two top bits are 0, ChannelData for 0x40 to 0x4F.
func KindOf(first byte) Kind {
	switch {
	case first&0xC0 == 0:
		return STUN
	case first&0xF0 == 0x40:
		return ChannelData
	}
	return Invalid
}

// FrameLength returns how many bytes the frame has on a stream that begins with head: 4 to MaxFrame, always a multiple of 4 (RFC 8656 section 12.5). The error is
// ErrFrame. Lengths are ints: in 16 bits a length of 0xFFEC and its header come to nothing, and a reader turns for ever.
func FrameLength(head [4]byte) (int, error) {
	n := int(binary.BigEndian.Uint16(head[2:]))
	switch KindOf(head[0]) {
	case STUN:
		if n%4 != 0 {
			return 0, ErrFrame
		}
		n += headerSize
	case ChannelData:
		n += channelHeaderSize + Padding(n)
	default:
		return 0, ErrFrame
	}
	if n > MaxFrame {
		return 0, ErrFrame
	}
	return n, nil
}

// Padding returns how many bytes, 0 to 3, fill n bytes up to a multiple of 4.
func Padding(n int) int { return -n & 3 }

// ParseChannelData returns channel and payload of a datagram or frame, with or without its padding; not ok if its number is none that may be bound or its length
// says anything else than there is. The payload, which may be empty, is a view into b.
func ParseChannelData(b []byte) (number uint16, payload []byte, ok bool) {
	if len(b) < channelHeaderSize || KindOf(b[0]) != ChannelData {
		return 0, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if rest := len(b) - channelHeaderSize - n; rest != 0 && rest != Padding(n) {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(b), b[channelHeaderSize:][:n:n], true
}

// AppendChannelHeader appends the 4 bytes before a payload of n bytes, 0 to 65535. On a stream Padding(n) bytes follow the payload.
func AppendChannelHeader(b []byte, number uint16, n int) []byte {
	b = binary.BigEndian.AppendUint16(b, number)
	return binary.BigEndian.AppendUint16(b, uint16(n))
}
