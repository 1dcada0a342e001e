package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

func TestKindOf(t *testing.T) {
	for b := range 256 {
		want := Invalid
		switch {
		case b < 0x40:
			want = STUN
		case b < 0x50:
			want = ChannelData
		}
		if got := KindOf(byte(b)); got != want {
			t.Errorf("KindOf(%#02x) = %d, want %d", b, got, want)
		}
	}
}

func TestFrameLength(t *testing.T) {
	for _, tc := range []struct {
		name string
		head uint32
		want int // 0: an error
	}{
		{"Binding", 0x00010000, 20},
		{"Allocate with attributes", 0x00030008, 28},
		{"longest STUN message", 0x00160000 + MaxFrame - 20, MaxFrame},
		{"STUN message that is too long", 0x00160000 + MaxFrame - 16, 0},
		{"STUN length that is no multiple of four", 0x00010001, 0},
		{"empty ChannelData", 0x40000000, 4},
		{"ChannelData of one byte", 0x40000001, 8},
		{"ChannelData of four bytes", 0x4FFF0004, 8},
		{"longest ChannelData", 0x40000000 + MaxFrame - 4, MaxFrame},
		{"ChannelData whose padding is not too long", 0x40000000 + MaxFrame - 7, MaxFrame},
		{"ChannelData that is too long", 0x40000000 + MaxFrame - 3, 0},
		{"channel that is reserved", 0x50000004, 0},
		{"TLS record, which only its cookie tells from STUN", 0x16030100, 276},
		{"HTTP", 0x47455420, 0},
		{"DTLS", 0x80000000, 0},
	} {
		got, err := FrameLength([4]byte(binary.BigEndian.AppendUint32(nil, tc.head)))
		if got != tc.want || (err != nil) != (tc.want == 0) || err != nil && !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %d, %v, want %d", tc.name, got, err, tc.want)
		}
	}
}

// TestFrameOfLengthFFEC: a STUN length that, with the header, comes to nothing in 16 bits made readers of a stream spin without an end, by one frame of a stranger.
func TestFrameOfLengthFFEC(t *testing.T) {
	if n, err := FrameLength([4]byte{0x00, 0x01, 0xFF, 0xEC}); err == nil || n != 0 {
		t.Errorf("the frame has %d bytes, %v: want an error", n, err)
	}
	b := append([]byte{0x00, 0x01, 0xFF, 0xEC, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 12)...)
	var m Message
	if err := m.Parse(b); !errors.Is(err, ErrLength) {
		t.Errorf("the message is parsed with %v, want %v", err, ErrLength)
	}
}

// TestFrameOfLengthFFFC: the same by ChannelData, whose padded length and header come to nothing.
func TestFrameOfLengthFFFC(t *testing.T) {
	head := [4]byte{0x40, 0x00, 0xFF, 0xFC}
	if n, err := FrameLength(head); err == nil || n != 0 {
		t.Errorf("the frame has %d bytes, %v: want an error", n, err)
	}
	for _, b := range [][]byte{head[:], append(head[:], make([]byte, 64)...)} {
		if number, payload, ok := ParseChannelData(b); ok {
			t.Errorf("channel %#x with %d bytes, want nothing", number, len(payload))
		}
	}
}

func TestParseChannelData(t *testing.T) {
	for _, tc := range []struct {
		name    string
		b       []byte
		number  uint16
		payload string
		ok      bool
	}{
		{"datagram without padding", []byte("\x40\x01\x00\x03abc"), 0x4001, "abc", true},
		{"frame with padding", []byte("\x40\x01\x00\x03abc\x00"), 0x4001, "abc", true},
		{"no padding due", []byte("\x4F\xFF\x00\x04abcd"), 0x4FFF, "abcd", true},
		{"empty", []byte("\x40\x00\x00\x00"), 0x4000, "", true},
		{"half of the padding", []byte("\x40\x00\x00\x01a\x00"), 0, "", false},
		{"more than the padding", []byte("\x40\x00\x00\x03abc\x00\x00"), 0, "", false},
		{"padding that is not due", []byte("\x40\x00\x00\x04abcd\x00\x00\x00\x00"), 0, "", false},
		{"shorter than its length", []byte("\x40\x00\x00\x05abcd"), 0, "", false},
		{"half a header", []byte("\x40\x00\x00"), 0, "", false},
		{"nothing", nil, 0, "", false},
		{"reserved channel", []byte("\x50\x00\x00\x00"), 0, "", false},
		{"STUN", []byte("\x00\x01\x00\x00"), 0, "", false},
	} {
		number, payload, ok := ParseChannelData(tc.b)
		if number != tc.number || string(payload) != tc.payload || ok != tc.ok {
			t.Errorf("%s: %#x %q %v, want %#x %q %v", tc.name, number, payload, ok, tc.number, tc.payload, tc.ok)
		}
		if cap(payload) != len(payload) {
			t.Errorf("%s: who appends to the payload writes over what follows it", tc.name)
		}
	}
}

func TestAppendChannelHeader(t *testing.T) {
	if got := AppendChannelHeader([]byte("x"), 0x4ABC, 0x0102); !bytes.Equal(got, []byte("x\x4A\xBC\x01\x02")) {
		t.Errorf("got %x", got)
	}
	for n, want := range []int{0, 3, 2, 1, 0, 3} {
		if got := Padding(n); got != want {
			t.Errorf("Padding(%d) = %d, want %d", n, got, want)
		}
	}
}
