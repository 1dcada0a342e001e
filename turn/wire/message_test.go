package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
)

var someID = [12]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}

// build makes a message with the attributes that add appends.
func build(typ uint16, add func(*Builder)) []byte {
	var w Builder
	w.Begin(nil, typ, someID)
	add(&w)
	return w.Bytes()
}

func parsed(t testing.TB, b []byte) *Message {
	t.Helper()
	var m Message
	if err := m.Parse(b); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	return &m
}

// edited returns a copy of b with bytes at a place replaced.
func edited(b []byte, at int, by ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], by)
	return b
}

// TestEmptyPeerAddress: a Send indication whose last attribute is an XOR-PEER-ADDRESS without a value made a reader look behind the end of the message, and its process
// ended. It has 48 bytes, so that nothing follows it in memory.
func TestEmptyPeerAddress(t *testing.T) {
	b := build(TypeSendIndication, func(w *Builder) {
		w.Add(AttrData, make([]byte, 20))
		w.Add(AttrXORPeerAddress, nil)
	})
	var m Message
	if err := m.Parse(b); len(b) != 48 || !errors.Is(err, ErrAttribute) {
		t.Errorf("%d bytes are parsed with %v, want 48 and %v", len(b), err, ErrAttribute)
	}
	if a, ok := m.Addr(nil); ok {
		t.Errorf("no bytes are the address %v", a)
	}
}

func TestParseRefuses(t *testing.T) {
	good := build(TypeAllocateRequest, func(w *Builder) { w.AddUint32(AttrRequestedTransport, TransportUDP<<24) })
	with := func(attr uint16, size int) []byte {
		return build(TypeSendIndication, func(w *Builder) { w.Add(attr, make([]byte, size)) })
	}
	many := func(n int) []byte {
		return build(TypeCreatePermissionRequest, func(w *Builder) {
			for range n {
				w.AddUint32(AttrLifetime, 1)
			}
		})
	}
	for _, tc := range []struct {
		name string
		b    []byte
		want error
	}{
		{"good", good, nil},
		{"nothing", nil, ErrHeader},
		{"half a header", good[:19], ErrHeader},
		{"ChannelData", edited(good, 0, 0x40), ErrHeader},
		{"two top bits", edited(good, 0, 0x80), ErrHeader},
		{"no magic cookie", edited(good, 4, 0x20), ErrHeader},
		{"longer than its length", append(bytes.Clone(good), 0, 0, 0, 0), ErrLength},
		{"shorter than its length", good[:24], ErrLength},
		{"length that is no multiple of four", append(edited(good, 3, 9), 0), ErrLength},
		{"longest", with(AttrData, MaxFrame-24), nil},
		{"too long", binary.BigEndian.AppendUint32(edited(with(AttrData, MaxFrame-24), 2, (MaxFrame-16)>>8, (MaxFrame-16)&0xFF), 0), ErrLength},
		{"attribute beyond the end", edited(good, 23, 5), ErrAttribute},
		{"attribute far beyond the end", edited(good, 22, 0xFF, 0xFC), ErrAttribute},
		{"padding that is not zero", edited(with(AttrData, 1), 25, 1, 2, 3), nil},
		{"mapped address of 4 bytes", with(AttrXORMappedAddress, 4), ErrAttribute},
		{"mapped address of 8 bytes", with(AttrXORMappedAddress, 8), nil},
		{"relayed address of 12 bytes", with(AttrXORRelayedAddress, 12), ErrAttribute},
		{"relayed address of 20 bytes", with(AttrXORRelayedAddress, 20), nil},
		{"peer address of 24 bytes", with(AttrXORPeerAddress, 24), ErrAttribute},
		{"peer address of 7 bytes", with(AttrXORPeerAddress, 7), ErrAttribute},
		{"integrity of 16 bytes", with(AttrMessageIntegrity, 16), ErrAttribute},
		{"fingerprint of 8 bytes", with(AttrFingerprint, 8), ErrAttribute},
		{"fingerprint that is not last", build(1, func(w *Builder) { w.AddFingerprint(); w.AddUint32(AttrLifetime, 1) }), ErrOrder},
		{"two fingerprints", build(1, func(w *Builder) { w.AddFingerprint(); w.AddFingerprint() }), ErrOrder},
		{"as many attributes as may be", many(MaxAttributes), nil},
		{"one more", many(MaxAttributes + 1), ErrAttributes},
		{"bad attribute behind the integrity", build(1, func(w *Builder) { w.AddIntegrity(nil); w.Add(AttrXORPeerAddress, nil) }), ErrAttribute},
	} {
		m := *parsed(t, good)
		if err := m.Parse(tc.b); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		} else if _, ok := m.Get(AttrRequestedTransport); tc.want != nil && (ok || m.Type != 0 || m.CheckIntegrity(nil) || m.n != 0) {
			t.Errorf("%s: after the error the message is not empty", tc.name)
		}
	}
}

func TestGetAndAll(t *testing.T) {
	m := parsed(t, build(TypeCreatePermissionRequest, func(w *Builder) {
		w.AddString(AttrUsername, "first")
		w.AddAddr(AttrXORPeerAddress, netip.MustParseAddrPort("192.0.2.1:1"))
		w.AddString(AttrUsername, "second")
		w.AddAddr(AttrXORPeerAddress, netip.MustParseAddrPort("[2001:db8::1]:2"))
		w.Add(AttrEvenPort, nil)
	}))
	if got, ok := m.Get(AttrUsername); string(got) != "first" || !ok || cap(got) != len(got) {
		t.Errorf("Get = %q, %v", got, ok)
	}
	if got, ok := m.Get(AttrEvenPort); len(got) != 0 || !ok {
		t.Errorf("an empty attribute: %q, %v", got, ok)
	}
	if got, ok := m.Get(AttrNonce); got != nil || ok {
		t.Errorf("an attribute that is not there: %q, %v", got, ok)
	}
	var peers []string
	for value := range m.All(AttrXORPeerAddress) {
		a, ok := m.Addr(value)
		peers = append(peers, a.String())
		if !ok {
			t.Errorf("%x is no address", value)
		}
	}
	if want := []string{"192.0.2.1:1", "[2001:db8::1]:2"}; !slices.Equal(peers, want) {
		t.Errorf("peers %v, want %v", peers, want)
	}
	for range m.All(AttrXORPeerAddress) {
		break // must not go on
	}
}

func TestUnknown(t *testing.T) {
	m := parsed(t, build(TypeAllocateRequest, func(w *Builder) {
		for _, attr := range []uint16{0x7FFF, AttrSoftware, AttrDontFragment, AttrRequestedTransport, 0x7FFF, 0xFFFF, 0x0003} {
			w.AddUint32(attr, 0)
		}
	}))
	if got, want := m.Unknown(nil), []uint16{0x7FFF, AttrDontFragment, 0x0003}; !slices.Equal(got, want) {
		t.Errorf("unknown %#04x, want %#04x", got, want)
	}
}

func TestAddrOfWrongFamily(t *testing.T) {
	m := parsed(t, build(TypeSendIndication, func(*Builder) {}))
	for _, value := range [][]byte{{0, 2, 0, 0, 1, 2, 3, 4}, {0, 0, 0, 0, 1, 2, 3, 4}, {0, 1, 0, 0, 1, 2, 3}, append([]byte{0, 1}, make([]byte, 18)...), append([]byte{0, 3}, make([]byte, 18)...)} {
		if a, ok := m.Addr(value); ok {
			t.Errorf("%x is the address %v", value, a)
		}
	}
}

// TestUnsignedIsUnseen: what follows MESSAGE-INTEGRITY was signed by nobody.
func TestUnsignedIsUnseen(t *testing.T) {
	key := []byte("key")
	m := parsed(t, build(TypeRefreshRequest, func(w *Builder) {
		w.AddIntegrity(key)
		w.AddUint32(AttrLifetime, 0)
		w.AddUint32(0x7FFF, 0)
		w.AddIntegrity([]byte("another"))
		w.AddFingerprint()
	}))
	if !m.CheckIntegrity(key) || !m.CheckFingerprint() {
		t.Errorf("integrity %v, fingerprint %v", m.CheckIntegrity(key), m.CheckFingerprint())
	}
	if _, ok := m.Get(AttrLifetime); ok || len(m.Unknown(nil)) != 0 {
		t.Errorf("an attribute behind the integrity is seen: %v, %#04x", ok, m.Unknown(nil))
	}
	if _, ok := m.Get(AttrFingerprint); !ok {
		t.Error("the fingerprint is not seen")
	}
}

func TestUnsigned(t *testing.T) {
	m := parsed(t, build(TypeAllocateRequest, func(w *Builder) { w.AddUint32(AttrRequestedTransport, TransportUDP<<24) }))
	if m.CheckIntegrity(nil) || !m.CheckFingerprint() {
		t.Errorf("without both: integrity %v, want false; fingerprint %v, want true", m.CheckIntegrity(nil), m.CheckFingerprint())
	}
}

// TestIntegrityIsHMAC compares with the library, for keys on both sides of the block size.
func TestIntegrityIsHMAC(t *testing.T) {
	for _, size := range []int{0, 1, 16, 63, 64, 65, 200} {
		for _, data := range []int{0, 1, 100, MaxFrame - 48} {
			key := bytes.Repeat([]byte{0xA7}, size)
			b := build(TypeSendIndication, func(w *Builder) {
				w.Add(AttrData, make([]byte, data))
				w.AddIntegrity(key)
			})
			h := hmac.New(sha1.New, key)
			h.Write(b[:len(b)-24])
			if want := h.Sum(nil); !bytes.Equal(b[len(b)-20:], want) {
				t.Errorf("key of %d bytes, %d bytes of data: %x, want %x", size, data, b[len(b)-20:], want)
			}
		}
	}
}
