package wire

import (
	"net/netip"
	"testing"
)

// signed builds and reads what a client and a server exchange, in a buffer of the caller.
func signed(t testing.TB) func() {
	buf := make([]byte, 0, MaxFrame)
	unknown := make([]uint16, 0, MaxAttributes)
	key := LongTermKey("1767225600:session:a", "signalbox", "password")
	peer := netip.MustParseAddrPort("192.0.2.1:40000")
	var w Builder
	var m Message
	return func() {
		w.Begin(buf, TypeCreatePermissionRequest, someID)
		w.AddAddr(AttrXORPeerAddress, peer)
		w.AddString(AttrUsername, "1767225600:session:a")
		w.AddUint32(AttrLifetime, 600)
		w.AddError(CodeUnauthenticated, "")
		w.AddIntegrity(key[:])
		w.AddFingerprint()
		if err := m.Parse(w.Bytes()); err != nil || !m.CheckIntegrity(key[:]) || !m.CheckFingerprint() || len(m.Unknown(unknown)) != 0 {
			t.Fatal(err)
		}
		for value := range m.All(AttrXORPeerAddress) {
			if a, ok := m.Addr(value); !ok || a != peer {
				t.Fatal(a)
			}
		}
		if _, ok := m.Get(AttrUsername); !ok {
			t.Fatal("no username")
		}
	}
}

// channel writes and reads a ChannelData frame.
func channel(t testing.TB) func() {
	buf := make([]byte, 0, MaxFrame)
	payload := make([]byte, 1200)
	return func() {
		b := append(AppendChannelHeader(buf, MinChannel, len(payload)), payload...)
		n, err := FrameLength([4]byte(b))
		if number, got, ok := ParseChannelData(b[:n]); err != nil || !ok || number != MinChannel || len(got) != len(payload) {
			t.Fatal(number, len(got), err)
		}
	}
}

func TestWireAllocatesNothing(t *testing.T) {
	for name, f := range map[string]func(){"signed request": signed(t), "channel data": channel(t)} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

func BenchmarkSigned(b *testing.B) {
	f := signed(b)
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}

func BenchmarkParseSend(b *testing.B) {
	bytes := build(TypeSendIndication, func(w *Builder) {
		w.AddAddr(AttrXORPeerAddress, netip.MustParseAddrPort("192.0.2.1:40000"))
		w.Add(AttrData, make([]byte, 1200))
	})
	var m Message
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Parse(bytes); err != nil {
			b.Fatal(err)
		}
	}
}
