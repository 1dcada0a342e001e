package guard

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

// TestRelay: allocate, permit, bind, data both ways, for each pair of transports.
func TestRelay(t *testing.T) {
	for _, pair := range [][2]string{{"udp", "udp"}, {"udp", "tcp"}, {"tcp", "udp"}, {"tcp", "tcp"}} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			w := newWorld(t)
			w.open("ses_1")
			a, relayedA := w.allocated(pair[0], "ses_1", 'a')
			b, relayedB := w.allocated(pair[1], "ses_1", 'b')
			if err := a.Bind(0x4001, relayedB); err != nil {
				t.Fatalf("bind: %v", err)
			}
			if err := b.Permit(relayedA); err != nil {
				t.Fatalf("permit: %v", err)
			}
			for _, size := range []int{0, 1, 3, 4, 1200, 1500} {
				payload := bytes.Repeat([]byte{byte(size)}, size)
				if err := a.SendChannel(0x4001, payload); err != nil {
					t.Fatal(err)
				}
				if d := received(t, b); d.Channel != 0 || d.Peer != relayedA || !bytes.Equal(d.Payload, payload) {
					t.Errorf("b received %d bytes from %v on channel %x, want %d bytes in a Data indication from %v", len(d.Payload), d.Peer, d.Channel, size, relayedA)
				}
				if err := b.Send(relayedA, payload); err != nil {
					t.Fatal(err)
				}
				if d := received(t, a); d.Channel != 0x4001 || !bytes.Equal(d.Payload, payload) {
					t.Errorf("a received %d bytes on channel %x, want %d bytes on its channel", len(d.Payload), d.Channel, size)
				}
			}
		})
	}
}

// TestChannelBringsPermission: whoever binds a channel may exchange indications with other ports of that address, too (RFC 8656 section 12.2).
func TestChannelBringsPermission(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	a, relayedA := w.allocated("udp", "ses_1", 'a')
	_, bound := w.allocated("udp", "ses_1", 'b')
	b, beside := w.allocated("udp", "ses_1", 'b')
	if err := a.Bind(0x4000, bound); err != nil {
		t.Fatal(err)
	}
	if err := b.Permit(relayedA); err != nil {
		t.Fatal(err)
	}
	if err := a.Send(beside, []byte("there")); err != nil {
		t.Fatal(err)
	}
	if d := received(t, b); d.Peer != relayedA || string(d.Payload) != "there" {
		t.Errorf("b received %q from %v", d.Payload, d.Peer)
	}
	if err := b.Send(relayedA, []byte("back")); err != nil {
		t.Fatal(err)
	}
	if d := received(t, a); d.Peer != beside || string(d.Payload) != "back" {
		t.Errorf("a received %q from %v", d.Payload, d.Peer)
	}
}

func received(t *testing.T, c *turntest.Client) turntest.Data {
	t.Helper()
	d, err := c.Receive()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAllocateAnswer(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	for _, tc := range []struct{ asked, want uint32 }{{0xFFFFFFFF, MaxLifetime}, {86400, MaxLifetime}, {MaxLifetime, MaxLifetime}, {900, 900}, {90, DefaultLifetime}, {0, DefaultLifetime}} {
		c := w.client("udp", "ses_1", 'a')
		if _, err := c.Allocate(turntest.Uint32(wire.AttrLifetime, tc.asked)); err != nil {
			t.Fatal(err)
		}
		if got := lifetime(t, c); got != tc.want {
			t.Errorf("an allocation for %d s got %d s, want %d", tc.asked, got, tc.want)
		}
		v, _ := c.Last.Get(wire.AttrXORMappedAddress)
		if mapped, _ := c.Last.Addr(v); mapped.String() != c.LocalAddr().String() {
			t.Errorf("mapped address %v, want %v", mapped, c.LocalAddr())
		}
		if !signed(c) {
			t.Error("the answer is not signed with the client's key")
		}
	}
}

func signed(c *turntest.Client) bool {
	key := wire.LongTermKey(c.User, c.Realm, c.Password)
	return c.Last.CheckIntegrity(key[:])
}

func lifetime(t *testing.T, c *turntest.Client) uint32 {
	t.Helper()
	v, ok := c.Last.Get(wire.AttrLifetime)
	if !ok || len(v) != 4 {
		t.Fatal("no LIFETIME")
	}
	return binary.BigEndian.Uint32(v)
}

func TestRefresh(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c, relayed := w.allocated("udp", "ses_1", 'a')
	if err := c.Once(wire.TypeRefreshRequest); err != nil || lifetime(t, c) != DefaultLifetime || !signed(c) {
		t.Errorf("refresh: %v, %d s", err, lifetime(t, c))
	}
	if err := c.Refresh(7200); err != nil || lifetime(t, c) != MaxLifetime {
		t.Errorf("refresh: %v, %d s", err, lifetime(t, c))
	}
	if err := c.Refresh(0); err != nil || lifetime(t, c) != 0 {
		t.Errorf("refresh to the end: %v", err)
	}
	if err := c.Refresh(60); turntest.Code(err) != wire.CodeAllocationMismatch {
		t.Errorf("refresh behind the end: %v, want 437", err)
	}
	if w.path.At(relayed) != nil {
		t.Error("the relay socket is still there")
	}
	if _, err := c.Allocate(); err != nil {
		t.Errorf("a new allocation of the same 5-tuple: %v", err)
	}
}

// TestRepeated: a request whose answer was lost gets the same one.
func TestRepeated(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c := w.client("udp", "ses_1", 'a')
	_ = c.Once(wire.TypeRefreshRequest) // tells the nonce
	peer := netip.MustParseAddrPort("198.51.100.7:9")
	for _, step := range []struct {
		name  string
		typ   uint16
		attrs []turntest.Attr
	}{
		{"allocate", wire.TypeAllocateRequest, []turntest.Attr{turntest.Transport()}},
		{"permission", wire.TypeCreatePermissionRequest, []turntest.Attr{turntest.Peer(peer)}},
		{"channel", wire.TypeChannelBindRequest, []turntest.Attr{turntest.Uint32(wire.AttrChannelNumber, 0x4000<<16), turntest.Peer(peer)}},
		{"refresh", wire.TypeRefreshRequest, nil},
		{"end", wire.TypeRefreshRequest, []turntest.Attr{turntest.Uint32(wire.AttrLifetime, 0)}},
	} {
		id := turntest.NewID()
		request := c.Build(step.typ, id, step.attrs...)
		var answers [2][]byte
		for i := range answers {
			if err := c.Exchange(request, id); err != nil {
				t.Fatalf("%s, time %d: %v", step.name, i+1, err)
			}
			answers[i] = bytes.Clone(c.Raw)
		}
		if !bytes.Equal(answers[0], answers[1]) {
			t.Errorf("%s: the answers are %x and %x", step.name, answers[0], answers[1])
		}
	}
}
