package wire

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Messages of RFC 5769, sections 2.1 to 2.4.
const (
	sampleRequest = `
		00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
		80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74
		00 24 00 04 6e 00 01 ff
		80 29 00 08 93 2f f9 b1 51 26 3b 36
		00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20
		00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2
		80 28 00 04 e5 7a 3b cf`
	sampleIPv4 = `
		01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
		80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
		00 20 00 08 00 01 a1 47 e1 12 a6 43
		00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7
		80 28 00 04 c0 7d 4c 96`
	sampleIPv6 = `
		01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
		80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
		00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9
		00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41
		80 28 00 04 c8 fb 0b 4c`
	sampleLongTerm = `
		00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e
		00 06 00 12 e3 83 9e e3 83 88 e3 83 aa e3 83 83 e3 82 af e3 82 b9 00 00
		00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 41
		00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00
		00 08 00 14 f6 70 24 65 6d d6 4a 3e 02 b8 e0 71 2e 85 c9 a2 8c a8 96 66`
)

// TestVectors reads the messages of RFC 5769 with what it says of them, and finds every flipped bit that integrity or fingerprint cover.
func TestVectors(t *testing.T) {
	shortTerm := []byte("VOkJxbRl1RmTxUk/WvJxBt")
	longTerm := LongTermKey("マトリックス", "example.org", "TheMatrIX")
	for _, tc := range []struct {
		name, message string
		typ           uint16
		key           []byte
		attrs         map[uint16]string
		mapped        string
		unknown       []uint16
	}{
		{"request", sampleRequest, TypeBindingRequest, shortTerm, map[uint16]string{AttrSoftware: "STUN test client", AttrUsername: "evtj:h6vY"}, "", []uint16{0x0024}},
		{"IPv4 response", sampleIPv4, TypeBindingSuccess, shortTerm, map[uint16]string{AttrSoftware: "test vector"}, "192.0.2.1:32853", nil},
		{"IPv6 response", sampleIPv6, TypeBindingSuccess, shortTerm, nil, "[2001:db8:1234:5678:11:2233:4455:6677]:32853", nil},
		{"long-term request", sampleLongTerm, TypeBindingRequest, longTerm[:], map[uint16]string{
			AttrUsername: "マトリックス", AttrNonce: "f//499k954d6OL34oL9FSTvy64sA", AttrRealm: "example.org"}, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := unhex(t, tc.message)
			var m Message
			if err := m.Parse(b); err != nil {
				t.Fatal(err)
			}
			if m.Type != tc.typ || !m.CheckIntegrity(tc.key) || !m.CheckFingerprint() {
				t.Errorf("type %#04x, integrity %v, fingerprint %v", m.Type, m.CheckIntegrity(tc.key), m.CheckFingerprint())
			}
			for attr, want := range tc.attrs {
				if got, ok := m.Get(attr); string(got) != want || !ok {
					t.Errorf("attribute %#04x = %q, %v, want %q", attr, got, ok, want)
				}
			}
			if value, ok := m.Get(AttrXORMappedAddress); ok != (tc.mapped != "") {
				t.Errorf("a mapped address: %v", ok)
			} else if got, ok := m.Addr(value); ok && got != netip.MustParseAddrPort(tc.mapped) {
				t.Errorf("mapped address %v, want %s", got, tc.mapped)
			}
			if got := m.Unknown(nil); !slices.Equal(got, tc.unknown) {
				t.Errorf("unknown attributes %#04x, want %#04x", got, tc.unknown)
			}
			if m.CheckIntegrity([]byte("another")) {
				t.Error("the integrity is right with a wrong key")
			}
			flipEach(t, b, tc.key)
		})
	}
}

// flipEach flips each bit of a message in turn: it must not pass as signed. A fingerprint of another type is none, which nobody signed either way.
func flipEach(t *testing.T, b, key []byte) {
	t.Helper()
	for bit := range 8 * len(b) {
		if at := bit/8 - (len(b) - 8); (at == 0 || at == 1) && b[len(b)-8] == AttrFingerprint>>8 {
			continue
		}
		b[bit/8] ^= 1 << (bit % 8)
		var m Message
		if m.Parse(b) == nil && m.CheckIntegrity(key) && m.CheckFingerprint() {
			t.Errorf("with bit %d of byte %d flipped the message still passes", bit%8, bit/8)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

// TestVectorsAreBuilt makes what in RFC 5769 has no padding other than zero.
func TestVectorsAreBuilt(t *testing.T) {
	want := unhex(t, sampleLongTerm)
	key := LongTermKey("マトリックス", "example.org", "TheMatrIX")
	var w Builder
	w.Begin(nil, TypeBindingRequest, [12]byte(want[8:20]))
	w.AddString(AttrUsername, "マトリックス")
	w.AddString(AttrNonce, "f//499k954d6OL34oL9FSTvy64sA")
	w.Add(AttrRealm, []byte("example.org"))
	w.AddIntegrity(key[:])
	if got := w.Bytes(); !slices.Equal(got, want) {
		t.Errorf("built\n%x, want\n%x", got, want)
	}
	for mapped, attr := range map[string][]byte{
		"192.0.2.1:32853": unhex(t, sampleIPv4)[36:48],
		"[2001:db8:1234:5678:11:2233:4455:6677]:32853": unhex(t, sampleIPv6)[36:60],
	} {
		w.Begin(nil, TypeBindingSuccess, [12]byte(unhex(t, sampleIPv4)[8:20]))
		w.AddAddr(AttrXORMappedAddress, netip.MustParseAddrPort(mapped))
		if got := w.Bytes()[20:]; !slices.Equal(got, attr) {
			t.Errorf("%s is built as %x, want %x", mapped, got, attr)
		}
	}
}
