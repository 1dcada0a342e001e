package guard

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"signalbox/turn/control"
	"signalbox/turn/tally"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

var (
	goodPeer  = netip.MustParseAddrPort("198.51.100.7:4000")
	otherPeer = netip.MustParseAddrPort("203.0.113.9:4000")
	ipv6Peer  = netip.MustParseAddrPort("[2001:db8::1]:4000")
)

// TestCredentials: whatever is wrong with a credential, the answer is the same 401 with realm and nonce.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	w.open("ses_over")
	w.sessions.End("ses_over")
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	secret := w.currentSecrets().Current
	for _, tc := range []struct{ name, user, password string }{
		{"wrong password", control.Username(in(time.Minute), "ses_1", 'a'), "wrong"},
		{"expired", control.Username(in(-time.Second), "ses_1", 'a'), ""},
		{"ended session", control.Username(in(time.Minute), "ses_over", 'a'), ""},
		{"unknown session", control.Username(in(time.Minute), "ses_never", 'b'), ""},
		{"no such side", strings.TrimSuffix(control.Username(in(time.Minute), "ses_1", 'a'), "a") + "c", ""},
		{"malformed", "somebody", ""},
		{"other system, which is not configured", "9999999999:somebody", ""},
		{"long", "9999999999:" + strings.Repeat("x", 600), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			password := tc.password
			if password == "" {
				password = control.Password(secret, tc.user)
			}
			c := w.dial("udp").As(tc.user, password)
			_, err := c.Allocate()
			if turntest.Code(err) != wire.CodeUnauthenticated {
				t.Fatalf("%v, want 401", err)
			}
			if signed(c) || c.Realm != "signalbox" || c.Nonce == "" {
				t.Errorf("the 401 is signed: %v, has realm %q and nonce %q", signed(c), c.Realm, c.Nonce)
			}
			if code, _ := c.Last.Get(wire.AttrErrorCode); len(code) != 4 {
				t.Errorf("ERROR-CODE %x has a reason: all 401s are alike, and short", code)
			}
		})
	}
}

func TestNonce(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	a, b := w.client("udp", "ses_1", 'a'), w.client("udp", "ses_1", 'b')
	if err := a.Once(wire.TypeAllocateRequest); turntest.Code(err) != wire.CodeUnauthenticated {
		t.Fatal(err)
	}
	for name, nonce := range map[string]string{"of another client": a.Nonce, "invented": strings.Repeat("A", 22), "short": "x", "no base64": strings.Repeat("?", 22)} {
		b.Realm, b.Nonce = a.Realm, nonce
		if err := b.Once(wire.TypeAllocateRequest, turntest.Transport()); turntest.Code(err) != wire.CodeStaleNonce || b.Nonce == nonce || signed(b) {
			t.Errorf("nonce %s: %v, want 438 with a new nonce", name, err)
		}
	}
	if err := b.Once(wire.TypeAllocateRequest, turntest.Transport()); err != nil {
		t.Errorf("with the nonce of the 438: %v", err)
	}
	w.later.Store(int64(nonceLife + time.Second))
	old := b.Nonce
	if err := b.Once(wire.TypeRefreshRequest); turntest.Code(err) != wire.CodeStaleNonce || b.Nonce == old {
		t.Errorf("an hour later: %v, want 438", err)
	}
}

// TestAllocateRefused holds each refusal of an Allocate against its code, and looks that nothing is left behind.
func TestAllocateRefused(t *testing.T) {
	w := newWorld(t, func(o *options) { o.limits.SessionAllocations = 64 }) // one a row
	w.open("ses_1")
	for _, tc := range []struct {
		name  string
		attrs []turntest.Attr
		want  int
	}{
		{"no transport", nil, 400},
		{"TCP", []turntest.Attr{turntest.Uint32(wire.AttrRequestedTransport, 6<<24)}, 442},
		{"short transport", []turntest.Attr{turntest.Bytes(wire.AttrRequestedTransport, 17)}, 400},
		{"IPv6, where there is none", []turntest.Attr{turntest.Transport(), family(wire.FamilyIPv6)}, 440},
		{"a family that is none", []turntest.Attr{turntest.Transport(), family(9)}, 440},
		{"short family", []turntest.Attr{turntest.Transport(), turntest.Bytes(wire.AttrRequestedAddressFamily, 1)}, 400},
		{"short lifetime", []turntest.Attr{turntest.Transport(), turntest.Bytes(wire.AttrLifetime, 1)}, 400},
		{"a token that nobody was given", []turntest.Attr{turntest.Transport(), token("12345678")}, 508},
		{"a token of zeros", []turntest.Attr{turntest.Transport(), token("\x00\x00\x00\x00\x00\x00\x00\x00")}, 508},
		{"an empty token", []turntest.Attr{turntest.Transport(), token("")}, 400},
		{"short token", []turntest.Attr{turntest.Transport(), token("1234567")}, 400},
		{"long token", []turntest.Attr{turntest.Transport(), token("123456789")}, 400},
		{"token and even port", []turntest.Attr{turntest.Transport(), token("12345678"), turntest.Bytes(wire.AttrEvenPort, 0)}, 400},
		{"token and family", []turntest.Attr{turntest.Transport(), token("12345678"), family(wire.FamilyIPv4)}, 400},
		{"token and additional family", []turntest.Attr{turntest.Transport(), token("12345678"), additional}, 400},
		{"a pair of ports and additional family", []turntest.Attr{turntest.Transport(), pair, additional}, 400},
		{"a pair of IPv6 ports, where there is none", []turntest.Attr{turntest.Transport(), pair, family(wire.FamilyIPv6)}, 440},
		{"empty even port", []turntest.Attr{turntest.Transport(), turntest.Bytes(wire.AttrEvenPort)}, 400},
		{"don't fragment", []turntest.Attr{turntest.Transport(), turntest.Bytes(wire.AttrDontFragment)}, 420},
		{"unknown attribute", []turntest.Attr{turntest.Transport(), turntest.Bytes(0x7777, 1)}, 420},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := w.client("udp", "ses_1", 'a')
			if err := c.Do(wire.TypeAllocateRequest, tc.attrs...); turntest.Code(err) != tc.want {
				t.Fatalf("%v, want %d", err, tc.want)
			}
			if !signed(c) {
				t.Error("the refusal is not signed")
			}
			if unknown, ok := c.Last.Get(wire.AttrUnknownAttributes); ok != (tc.want == 420) || ok && len(unknown) != 2 {
				t.Errorf("UNKNOWN-ATTRIBUTES %x", unknown)
			}
			if _, err := c.Allocate(); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestEvenPort(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	for range 4 {
		c := w.client("udp", "ses_1", 'a')
		relayed, err := c.Allocate(turntest.Bytes(wire.AttrEvenPort, 0))
		if err != nil || relayed.Port()%2 != 0 {
			t.Errorf("port %d, %v: want an even one", relayed.Port(), err)
		}
	}
}

func TestSecondAllocate(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c, _ := w.allocated("udp", "ses_1", 'a')
	if _, err := c.Allocate(); turntest.Code(err) != wire.CodeAllocationMismatch || !signed(c) {
		t.Errorf("%v, want 437", err)
	}
}

func TestOtherUser(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c, _ := w.allocated("udp", "ses_1", 'a')
	other := w.client("udp", "ses_1", 'b')
	c.As(other.User, other.Password)
	for name, do := range map[string]func() error{
		"refresh": func() error { return c.Refresh(0) }, "permission": func() error { return c.Permit(goodPeer) }, "channel": func() error { return c.Bind(0x4000, goodPeer) },
	} {
		if err := do(); turntest.Code(err) != wire.CodeWrongCredentials || !signed(c) {
			t.Errorf("%s: %v, want 441", name, err)
		}
	}
}

func TestWithoutAllocation(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c := w.client("udp", "ses_1", 'a')
	for name, do := range map[string]func() error{
		"refresh": func() error { return c.Refresh(60) }, "end": func() error { return c.Refresh(0) },
		"permission": func() error { return c.Permit(goodPeer) }, "channel": func() error { return c.Bind(0x4000, goodPeer) },
	} {
		if err := do(); turntest.Code(err) != wire.CodeAllocationMismatch || !signed(c) {
			t.Errorf("%s: %v, want 437", name, err)
		}
	}
}

func TestPeersRefused(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c, relayed := w.allocated("udp", "ses_1", 'a')
	channel := func(n uint32, more ...turntest.Attr) func() error {
		return func() error {
			return c.Do(wire.TypeChannelBindRequest, append(more, turntest.Uint32(wire.AttrChannelNumber, n<<16))...)
		}
	}
	for _, tc := range []struct {
		name string
		do   func() error
		want int
	}{
		{"permission for no peer", func() error { return c.Permit() }, 400},
		{"permission for a peer that is not allowed", func() error { return c.Permit(otherPeer) }, 403},
		{"permission for a good and a bad peer", func() error { return c.Permit(goodPeer, otherPeer) }, 403},
		{"permission for loopback", func() error { return c.Permit(netip.MustParseAddrPort("127.0.0.53:53")) }, 403},
		{"permission for IPv6", func() error { return c.Permit(ipv6Peer) }, 443},
		{"permission for an IPv4-mapped address", func() error { return c.Permit(netip.MustParseAddrPort("[::ffff:198.51.100.7]:1")) }, 443},
		{"channel 0x3FFF", channel(0x3FFF, turntest.Peer(goodPeer)), 400},
		{"channel 0x5000", channel(0x5000, turntest.Peer(goodPeer)), 400},
		{"channel 0x8000", channel(0x8000, turntest.Peer(goodPeer)), 400},
		{"channel without a peer", channel(0x4000), 400},
		{"channel for IPv6", channel(0x4000, turntest.Peer(ipv6Peer)), 443},
		{"channel for a peer that is not allowed", channel(0x4000, turntest.Peer(otherPeer)), 403},
		{"channel for a port of the relay's address that is nobody's of the session", channel(0x4000, turntest.Peer(netip.AddrPortFrom(relayIP(), 9))), 403},
		{"no channel", func() error { return c.Do(wire.TypeChannelBindRequest, turntest.Peer(goodPeer)) }, 400},
		{"refresh of another family", func() error {
			return c.Do(wire.TypeRefreshRequest, turntest.Bytes(wire.AttrRequestedAddressFamily, wire.FamilyIPv6, 0, 0, 0))
		}, 443},
	} {
		if err := tc.do(); turntest.Code(err) != tc.want || !signed(c) {
			t.Errorf("%s: %v, want %d", tc.name, err, tc.want)
		}
	}
	if err := c.Send(goodPeer, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := c.Refresh(600); err != nil { // behind the data: it has been looked at
		t.Fatal(err)
	}
	if n := w.path.At(relayed).Owner().Counters().Snapshot().Drops[tally.NoPermission]; n != 1 {
		t.Errorf("%d packets dropped for want of a permission, want one: nothing was to be installed", n)
	}
}

func TestChannelConflicts(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c, _ := w.allocated("udp", "ses_1", 'a')
	second := netip.MustParseAddrPort("198.51.100.8:4000")
	for _, tc := range []struct {
		number uint16
		peer   netip.AddrPort
		want   int
	}{{0x4000, goodPeer, 0}, {0x4000, goodPeer, 0}, {0x4000, second, 400}, {0x4001, goodPeer, 400}, {0x4001, second, 0}} {
		if err := c.Bind(tc.number, tc.peer); turntest.Code(err) != tc.want {
			t.Errorf("bind %x to %v: %v, want %d", tc.number, tc.peer, err, tc.want)
		}
	}
}

func TestRoom(t *testing.T) {
	w := newWorld(t)
	w.open("ses_1")
	c, _ := w.allocated("udp", "ses_1", 'a')
	peer := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)}), 9)
	}
	for i := range 17 {
		want := 0
		if i == 16 {
			want = wire.CodeInsufficientCapacity
		}
		if err := c.Permit(peer(i)); turntest.Code(err) != want {
			t.Errorf("permission %d: %v, want %d", i+1, err, want)
		}
	}
	d, _ := w.allocated("udp", "ses_1", 'b')
	for i := range 17 {
		want := 0
		if i == 16 {
			want = wire.CodeInsufficientCapacity
		}
		if err := d.Bind(uint16(0x4000+i), peer(i)); turntest.Code(err) != want {
			t.Errorf("channel %d: %v, want %d", i+1, err, want)
		}
	}
}

func TestQuota(t *testing.T) {
	w := newWorld(t, func(o *options) { o.limits.SessionAllocations = 2 })
	w.open("ses_1")
	first, _ := w.allocated("udp", "ses_1", 'a')
	w.allocated("udp", "ses_1", 'b')
	third := w.client("udp", "ses_1", 'a')
	if _, err := third.Allocate(); turntest.Code(err) != wire.CodeAllocationQuota || !signed(third) {
		t.Fatalf("the third allocation: %v, want 486", err)
	}
	if err := first.Refresh(0); err != nil {
		t.Fatal(err)
	}
	if _, err := third.Allocate(); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}
