package wire

import (
	"bytes"
	"net/netip"
	"testing"
)

func TestBuilder(t *testing.T) {
	var w Builder
	w.Begin([]byte("before"), TypeAllocateError, someID)
	w.AddError(CodeUnknownAttribute, "Unknown")
	w.AddUnknown([]uint16{AttrDontFragment, 0x7FFF, 3})
	b := w.Bytes()
	if !bytes.HasPrefix(b, []byte("before")) {
		t.Fatalf("%q does not go on behind what the buffer held", b)
	}
	m := parsed(t, b[6:])
	if m.Type != TypeAllocateError || m.TransactionID != someID || ClassOf(m.Type) != ClassError {
		t.Errorf("type %#04x, id %x", m.Type, m.TransactionID)
	}
	if got, _ := m.Get(AttrErrorCode); string(got) != "\x00\x00\x04\x14Unknown" {
		t.Errorf("error %q", got)
	}
	if got, _ := m.Get(AttrUnknownAttributes); string(got) != "\x00\x1A\x7F\xFF\x00\x03" {
		t.Errorf("unknown attributes %x", got)
	}
}

func TestBuilderKeepsFamilies(t *testing.T) {
	for _, a := range []string{"192.0.2.1:65535", "[::ffff:192.0.2.1]:1", "[::]:0", "[2001:db8::1]:443", "0.0.0.0:80"} {
		want := netip.MustParseAddrPort(a)
		m := parsed(t, build(TypeAllocateSuccess, func(w *Builder) { w.AddAddr(AttrXORRelayedAddress, want) }))
		value, _ := m.Get(AttrXORRelayedAddress)
		if got, ok := m.Addr(value); got != want || !ok {
			t.Errorf("%v comes back as %v, %v", want, got, ok)
		}
	}
}

// TestBuilderIsBounded: what does not fit makes no message, not a shorter one.
func TestBuilderIsBounded(t *testing.T) {
	for name, add := range map[string]func(*Builder){
		"value":       func(w *Builder) { w.Add(AttrData, make([]byte, 3)) },
		"string":      func(w *Builder) { w.AddString(AttrRealm, "x") },
		"number":      func(w *Builder) { w.AddUint32(AttrLifetime, 1) },
		"address":     func(w *Builder) { w.AddAddr(AttrXORPeerAddress, netip.MustParseAddrPort("192.0.2.1:1")) },
		"error":       func(w *Builder) { w.AddError(CodeBadRequest, "") },
		"unknown":     func(w *Builder) { w.AddUnknown([]uint16{1}) },
		"integrity":   func(w *Builder) { w.AddIntegrity([]byte("key")) },
		"fingerprint": func(w *Builder) { w.AddFingerprint() },
	} {
		var w Builder
		w.Begin([]byte("before"), TypeDataIndication, someID)
		w.Add(AttrData, make([]byte, MaxFrame-headerSize-8))
		if got := len(w.Bytes()); got != 6+MaxFrame-4 {
			t.Fatalf("%d bytes before the attribute that is too much", got)
		}
		add(&w)
		w.Add(AttrEvenPort, nil) // would fit
		if got := w.Bytes(); string(got) != "before" {
			t.Errorf("%s: %d bytes, want what was there before", name, len(got))
		}
	}
}
