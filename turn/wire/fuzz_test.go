package wire

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func seeds(f *testing.F) [][]byte {
	f.Helper()
	all := [][]byte{
		{0x00, 0x01, 0xFF, 0xEC, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		{0x40, 0x00, 0xFF, 0xFC},
		[]byte("\x40\x01\x00\x03abc\x00\x40\x01\x00\x03abc\x00"),
		build(TypeSendIndication, func(w *Builder) { w.Add(AttrData, make([]byte, 20)); w.Add(AttrXORPeerAddress, nil) }),
		build(TypeRefreshRequest, func(w *Builder) { w.AddIntegrity(nil); w.AddUint32(AttrLifetime, 0); w.AddFingerprint() }),
		build(TypeAllocateError, func(w *Builder) { w.AddError(CodeUnknownAttribute, "reason"); w.AddUnknown([]uint16{1, 2}) }),
	}
	for _, text := range []string{sampleRequest, sampleIPv4, sampleIPv6, sampleLongTerm} {
		all = append(all, unhex(f, text))
	}
	return all
}

// FuzzParse: what is parsed can be built again from what is seen of it, to the same bytes if nothing was unseen, and addresses and integrity survive.
func FuzzParse(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Message
		if m.Parse(b) != nil {
			return
		}
		rebuilt := rebuild(&m).Bytes()
		if err := again.Parse(rebuilt); err != nil {
			t.Fatalf("%x is built again as %x: %v", b, rebuilt, err)
		}
		if len(rebuilt) == len(b) && !bytes.Equal(rebuilt, zeroPadding(b)) {
			t.Fatalf("%x is built again as %x", b, rebuilt)
		}
		if again.n != m.n || again.Type != m.Type || again.TransactionID != m.TransactionID {
			t.Fatalf("%d attributes of type %#x, were %d of %#x", again.n, again.Type, m.n, m.Type)
		}
		for i := range m.n {
			if m.attrs[i].typ != again.attrs[i].typ || !bytes.Equal(m.value(i), again.value(i)) {
				t.Fatalf("attribute %d changed", i)
			}
			checkAddr(t, &m, m.value(i))
		}
		checkSigning(t, rebuilt)
		m.Unknown(nil)
		m.CheckFingerprint()
		m.CheckIntegrity(b[:8])
	})
}

// rebuild begins a message with all attributes that are seen of another.
func rebuild(m *Message) *Builder {
	var w Builder
	w.Begin(nil, m.Type, m.TransactionID)
	for i := range m.n {
		w.Add(m.attrs[i].typ, m.value(i))
	}
	return &w
}

// zeroPadding returns a message that was parsed with all padding zero.
func zeroPadding(b []byte) []byte {
	b = bytes.Clone(b)
	for at := headerSize; at < len(b); {
		size := int(binary.BigEndian.Uint16(b[at+2:]))
		end := at + 4 + size
		clear(b[end : end+Padding(size)])
		at = end + Padding(size)
	}
	return b
}

// checkAddr: an address that is decoded is encoded as it was, but for the first byte, which nobody looks at.
func checkAddr(t *testing.T, m *Message, value []byte) {
	t.Helper()
	if a, ok := m.Addr(value); ok {
		if got := appendAddr(nil, a, m.TransactionID); !bytes.Equal(got[1:], value[1:]) {
			t.Fatalf("address %v of %x is written as %x", a, value, got)
		}
	}
}

// checkSigning signs what was built, if it is not signed and has room, and finds the signature right.
func checkSigning(t *testing.T, b []byte) {
	t.Helper()
	m := parsed(t, b)
	_, fingerprinted := m.Get(AttrFingerprint)
	if m.integrity != 0 || fingerprinted || m.n+2 > MaxAttributes || len(b)+32 > MaxFrame {
		return
	}
	w := rebuild(m)
	w.AddIntegrity([]byte("key"))
	w.AddFingerprint()
	if m = parsed(t, w.Bytes()); !m.CheckIntegrity([]byte("key")) || !m.CheckFingerprint() || m.CheckIntegrity([]byte("kez")) {
		t.Fatalf("%x is not signed by its key alone", w.Bytes())
	}
}

// FuzzFrame cuts a stream into frames: each takes bytes, none more than MaxFrame, and what is ChannelData can be read and is written as it was.
func FuzzFrame(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) >= 4 {
			n, err := FrameLength([4]byte(b))
			if err != nil {
				return
			}
			if n < 4 || n > MaxFrame || n%4 != 0 {
				t.Fatalf("a frame of %d bytes", n)
			}
			if n > len(b) {
				return
			}
			checkFrame(t, b[:n])
			b = b[n:]
		}
	})
}

func checkFrame(t *testing.T, frame []byte) {
	t.Helper()
	if KindOf(frame[0]) == STUN {
		var m Message
		if m.Parse(frame) == nil && m.Type != binary.BigEndian.Uint16(frame) {
			t.Fatalf("type %#x of %x", m.Type, frame)
		}
		return
	}
	number, payload, ok := ParseChannelData(frame)
	if !ok || number < MinChannel || number > MaxChannel {
		t.Fatalf("channel %#x, %v of a frame %x", number, ok, frame)
	}
	if got := append(AppendChannelHeader(nil, number, len(payload)), payload...); !bytes.Equal(got, frame[:len(got)]) || len(got)+Padding(len(got)) != len(frame) {
		t.Fatalf("%x is written as %x", frame, got)
	}
}
