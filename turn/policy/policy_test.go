package policy

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// open is a policy under which everything is open that can be opened.
func open(more Config) *Policy {
	more.Allow = append(more.Allow, prefixes("0.0.0.0/0", "::/0")...)
	return New(more)
}

// spellings returns an IPv4 address in all its disguises.
func spellings(v4 netip.Addr) []netip.Addr {
	b := v4.As4()
	low := func(head ...byte) netip.Addr {
		var a [16]byte
		copy(a[:], head)
		copy(a[12:], b[:])
		return netip.AddrFrom16(a)
	}
	all := []netip.Addr{
		v4,
		low(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF),
		low(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF).WithZone("eth0"),
		low(0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF),
		low(0x00, 0x64, 0xFF, 0x9B),
		low(0x00, 0x64, 0xFF, 0x9B).WithZone("1"),
		low(0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01),
		netip.AddrFrom16([16]byte{0x20, 0x02, b[0], b[1], b[2], b[3]}),
		netip.AddrFrom16([16]byte{0x20, 0x02, b[0], b[1], b[2], b[3], 8: 1, 15: 9}),
		netip.AddrFrom16([16]byte{0x20, 0x01, 0, 0, 192, 0, 2, 1, 12: ^b[0], 13: ^b[1], 14: ^b[2], 15: ^b[3]}),
	}
	if compat := low(); compat != netip.IPv6Unspecified() && compat != netip.IPv6Loopback() {
		all = append(all, compat)
	}
	return all
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":                            "192.0.2.1",
		"::ffff:192.0.2.1":                     "192.0.2.1",
		"::ffff:192.0.2.1%eth0":                "192.0.2.1",
		"::192.0.2.1":                          "192.0.2.1",
		"::ffff:0:192.0.2.1":                   "192.0.2.1",
		"64:ff9b::192.0.2.1":                   "192.0.2.1",
		"2002:c000:201::":                      "192.0.2.1",
		"2002:c000:201:1:2:3:4:5":              "192.0.2.1",
		"2001:0:4136:e378:8000:63bf:3fff:fdfe": "192.0.2.1", // RFC 4380 section 4, the client's address is inverted
		"::1":                                  "::1",
		"::":                                   "::",
		"::2":                                  "0.0.0.2",
		"fe80::1%eth0":                         "fe80::1",
		"2001:db8::1":                          "2001:db8::1",
		"2001:1::1":                            "2001:1::1",
		"2003::c000:201":                       "2003::c000:201",
		"64:ff9b:1::c000:201":                  "64:ff9b:1::c000:201",
		"::1:0:192.0.2.1":                      "::1:0:c000:201",
	} {
		if got := Canonical(netip.MustParseAddr(in)); got != netip.MustParseAddr(want) {
			t.Errorf("Canonical(%s) = %v, want %s", in, got, want)
		}
	}
	if got := Canonical(netip.Addr{}); got.IsValid() {
		t.Errorf("no address becomes %v", got)
	}
}

// TestNeverOpen tries every spelling of what nothing opens, against a policy, a session and an operator that open all.
func TestNeverOpen(t *testing.T) {
	p := open(Config{})
	all := func(netip.Addr) bool { return true }
	for text, want := range map[string]Reason{
		"127.0.0.1": Loopback, "127.1.2.3": Loopback, "127.255.255.255": Loopback,
		"0.0.0.0": Unspecified, "0.0.0.1": Unspecified, "0.255.255.255": Unspecified,
		"224.0.0.1": Multicast, "239.255.255.250": Multicast,
		"255.255.255.255": Broadcast, "240.0.0.1": Reserved, "255.255.255.254": Reserved,
		"169.254.0.1": LinkLocal, "169.254.170.2": LinkLocal, "169.254.255.255": LinkLocal,
		"169.254.169.254": Metadata, "100.100.100.200": Metadata, "168.63.129.16": Metadata, "192.0.0.192": Metadata,
		"100.64.0.1": SharedSpace, "100.127.255.255": SharedSpace,
	} {
		for _, a := range spellings(netip.MustParseAddr(text)) {
			want := want
			if nat64Local.Contains(a.WithZone("")) {
				want = Embedded
			}
			if got := p.Permits(a, all); got != want {
				t.Errorf("permission for %v (%s): %q, want %q", a, text, got, want)
			}
			if got := p.Allows(netip.AddrPortFrom(a, 40000), all); got != want {
				t.Errorf("datagram to %v (%s): %q, want %q", a, text, got, want)
			}
		}
	}
	for text, want := range map[string]Reason{
		"::1": Loopback, "::": Unspecified, "ff02::1": Multicast, "ff0e::1": Multicast, "fe80::1": LinkLocal, "fe80::1%eth0": LinkLocal, "febf::1": LinkLocal,
		"fd00:ec2::254": Metadata, "fd00:ec2::254%2": Metadata, "fd20:ce::254": Metadata, "64:ff9b:1::1": Embedded, "64:ff9b:1:ffff::808:808": Embedded,
	} {
		if got := p.Permits(netip.MustParseAddr(text), all); got != want {
			t.Errorf("permission for %s: %q, want %q", text, got, want)
		}
	}
	if got := p.Permits(netip.Addr{}, all); got != Invalid {
		t.Errorf("permission for no address: %q", got)
	}
}

// TestNeighboursAreOpen: the denied ranges end where they should.
func TestNeighboursAreOpen(t *testing.T) {
	p := open(Config{})
	for _, text := range []string{
		"1.0.0.0", "126.255.255.255", "128.0.0.0", "100.63.255.255", "100.128.0.0", "169.253.255.255", "169.255.0.0", "223.255.255.255", "10.0.0.1", "172.16.0.1", "192.168.1.1",
	} {
		for _, a := range spellings(netip.MustParseAddr(text)) {
			want := OK
			if tunnelled(a) || nat64Local.Contains(a) {
				want = Embedded
			}
			if got := p.Permits(a, nil); got != want {
				t.Errorf("%v (%s): %q, want %q", a, text, got, want)
			}
		}
	}
	for _, text := range []string{"2001:db8::1", "fd00::1", "fec0::1", "fd00:ec2::253", "64:ff9b:2::1", "::1:0:0:0"} {
		if got := p.Permits(netip.MustParseAddr(text), nil); got != OK {
			t.Errorf("%s is refused: %q", text, got)
		}
	}
}

func TestClosedByDefault(t *testing.T) {
	p := New(Config{})
	for _, text := range []string{"192.0.2.1", "8.8.8.8", "10.0.0.1", "2001:db8::1", "fd00::1"} {
		for _, extra := range []func(netip.Addr) bool{nil, func(netip.Addr) bool { return false }} {
			if got := p.Permits(netip.MustParseAddr(text), extra); got != NotAllowed {
				t.Errorf("%s: %q, want %q", text, got, NotAllowed)
			}
		}
	}
}

func TestListsOfTheOperator(t *testing.T) {
	p := New(Config{
		Allow: prefixes("10.0.0.0/8", "::ffff:172.16.0.0/108", "2001:db8::/32", "100.64.7.0/24", "64:ff9b::/96"),
		Deny:  prefixes("10.1.0.0/16", "::ffff:10.2.0.0/112", "2001:db8:bad::/48", "2002:0a03::/32", "192.0.2.7/32"),
	})
	session := func(a netip.Addr) bool {
		return a == netip.MustParseAddr("192.0.2.7") || a == netip.MustParseAddr("192.0.2.8")
	}
	for text, want := range map[string]Reason{
		"10.0.0.1": OK, "::ffff:10.0.0.1": OK, "64:ff9b::10.0.0.1": OK, "172.16.0.1": OK, "172.32.0.1": NotAllowed,
		"10.1.0.1": Denied, "::ffff:10.1.0.1": Denied, "2002:0a01:1::": Denied, "10.2.0.1": Denied, "::10.2.0.1": Denied,
		"10.3.0.1": OK, "2002:0a03:1::": Denied, "2002:0a04:1::": Embedded, "2001:0:4136:e378:8000:63bf:f5ff:fffe": Embedded,
		"2001:db8::1": OK, "2001:db8:bad::1": Denied, "2001:db9::1": NotAllowed,
		"192.0.2.7": Denied, "192.0.2.8": OK, "::ffff:192.0.2.8": OK, "192.0.2.9": NotAllowed,
		"100.64.7.1": OK, "100.64.8.1": SharedSpace, "64:ff9b::8.8.8.8": NotAllowed, "8.8.8.8": NotAllowed,
	} {
		if got := p.Permits(netip.MustParseAddr(text), session); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestIPv6DoesNotOpenIPv4: who opens the whole of IPv6 does not open the IPv4 networks that can be written in it.
func TestIPv6DoesNotOpenIPv4(t *testing.T) {
	p := New(Config{Allow: prefixes("::/0")})
	for _, a := range spellings(netip.MustParseAddr("10.0.0.1")) {
		if got := p.Permits(a, nil); got == OK {
			t.Errorf("%v is open", a)
		}
	}
}

// TestSharedSpaceIsExplicit: 100.64.0.0/10 opens by a range inside of it alone, and for no other address than that range's.
func TestSharedSpaceIsExplicit(t *testing.T) {
	inside, beside := netip.MustParseAddr("100.64.0.5"), netip.MustParseAddr("100.65.0.5")
	all := func(netip.Addr) bool { return true }
	for _, tc := range []struct {
		allow       string
		want, other Reason
	}{
		{"100.64.0.0/24", OK, SharedSpace},
		{"100.64.0.0/10", OK, OK},
		{"100.0.0.0/8", SharedSpace, SharedSpace},
	} {
		p := open(Config{Allow: prefixes(tc.allow)})
		if got, other := p.Permits(inside, all), p.Permits(beside, all); got != tc.want || other != tc.other {
			t.Errorf("with %s: %q and %q, want %q and %q", tc.allow, got, other, tc.want, tc.other)
		}
	}
	if got := open(Config{Allow: prefixes("100.64.0.0/10")}).Permits(alibaba, all); got != Metadata {
		t.Errorf("metadata in shared space: %q", got)
	}
}

func TestOwnListeners(t *testing.T) {
	local := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::ffff:203.0.113.5"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("2001:db8::5")}
	p := open(Config{
		Own:   []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8080"), netip.MustParseAddrPort("[::]:443"), netip.MustParseAddrPort("10.0.0.9:5432"), netip.MustParseAddrPort("[::ffff:10.0.0.8]:5433")},
		Local: func() []netip.Addr { return local },
	})
	for text, want := range map[string]Reason{
		"10.0.0.1:8080": OwnListener, "203.0.113.5:8080": OwnListener, "[2001:db8::5]:8080": OwnListener, "10.0.0.1:443": OwnListener, "[2001:db8::5]:443": OwnListener,
		"[::ffff:10.0.0.1]:8080": OwnListener, "[64:ff9b::10.0.0.1]:8080": OwnListener, "[2002:a00:1::]:443": Embedded,
		"10.0.0.1:8081": OK, "10.0.0.2:8080": OK, "[2001:db8::6]:443": OK,
		"10.0.0.9:5432": OwnListener, "[::ffff:10.0.0.9]:5432": OwnListener, "10.0.0.9:5433": OK, "10.0.0.8:5433": OwnListener, "127.0.0.1:8080": Loopback,
	} {
		if got := p.Allows(netip.MustParseAddrPort(text), nil); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestProtect: the listeners of servers on other machines are closed as our own are, each server's until it names others, and nothing else of those machines.
func TestProtect(t *testing.T) {
	p := open(Config{})
	listeners := func(texts ...string) (all []netip.AddrPort) {
		for _, text := range texts {
			all = append(all, netip.MustParseAddrPort(text))
		}
		return all
	}
	check := func(when string, closed, opened []netip.AddrPort) {
		t.Helper()
		for want, some := range map[Reason][]netip.AddrPort{OwnListener: closed, OK: opened} {
			for _, peer := range some {
				if got := p.Allows(peer, nil); got != want {
					t.Errorf("%s, %s: %q, want %q", when, peer, got, want)
				}
			}
		}
	}
	check("before", nil, listeners("10.0.0.1:443", "10.0.0.2:443"))
	if !p.Protect("one", listeners("10.0.0.1:443", "[2001:db8::5]:8080")) || !p.Protect("two", listeners("[::ffff:10.0.0.2]:443")) {
		t.Error("what two servers say is nothing new")
	}
	check("two servers", listeners("10.0.0.1:443", "[64:ff9b::10.0.0.1]:443", "[2001:db8::5]:8080", "10.0.0.2:443"), listeners("10.0.0.1:8080", "10.0.0.3:443", "[2001:db8::5]:443"))
	if p.Protect("one", listeners("10.0.0.1:443", "[2001:db8::5]:8080")) {
		t.Error("the same again is something new")
	}
	p.Protect("one", listeners("10.0.0.1:444"))
	check("one has others", listeners("10.0.0.1:444", "10.0.0.2:443"), listeners("10.0.0.1:443", "[2001:db8::5]:8080"))
}

// TestLocalIsKept: the system is asked for our addresses now and then, not for each packet, and while it does not say our ports are closed everywhere.
func TestLocalIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, local := 0, []netip.Addr{netip.MustParseAddr("10.0.0.1")}
		p := open(Config{
			Own:   []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8080")},
			Local: func() []netip.Addr { asked++; return local },
		})
		check := func(addr string, want Reason) {
			t.Helper()
			for range 100 {
				if got := p.Allows(netip.MustParseAddrPort(addr), nil); got != want {
					t.Fatalf("%s: %q, want %q", addr, got, want)
				}
			}
		}
		check("10.0.0.1:8080", OwnListener)
		check("10.0.0.2:8080", OK)
		local = []netip.Addr{netip.MustParseAddr("10.0.0.2")}
		time.Sleep(localKept)
		check("10.0.0.2:8080", OwnListener)
		local = nil
		time.Sleep(localKept)
		check("10.0.0.3:8080", OwnListener)
		if asked != 3 {
			t.Errorf("the system was asked %d times, want 3", asked)
		}
	})
}

// TestLocalAddrs: this machine knows itself, so our ports on it are closed without a Local.
func TestLocalAddrs(t *testing.T) {
	addrs := LocalAddrs()
	if !slices.ContainsFunc(addrs, netip.Addr.IsLoopback) {
		t.Errorf("%v has no loopback address", addrs)
	}
	p := open(Config{Own: []netip.AddrPort{netip.MustParseAddrPort("[::]:8080")}})
	for _, a := range addrs {
		if got := p.Allows(netip.AddrPortFrom(a, 8080), nil); got == OK {
			t.Errorf("our port on %v is open", a)
		}
	}
}

func TestReasonsAreComplete(t *testing.T) {
	all := Reasons()
	for _, r := range []Reason{OK, NotAllowed, OwnListener, Embedded, Metadata} {
		if slices.Contains(all, r) != (r != OK) {
			t.Errorf("%q: in the list %v", r, slices.Contains(all, r))
		}
	}
}

// asks returns what the data path asks: peers that are allowed by the operator and by the session, one of our ports, and one that is refused.
func asks(t testing.TB) func() {
	p := New(Config{
		Allow: prefixes("10.0.0.0/8"), Deny: prefixes("10.9.0.0/16"), Own: []netip.AddrPort{netip.MustParseAddrPort("[::]:443")},
		Local: func() []netip.Addr { return nil },
	})
	observed := []netip.Addr{netip.MustParseAddr("192.0.2.8")}
	extra := func(a netip.Addr) bool { return slices.Contains(observed, a) }
	peers := map[netip.AddrPort]Reason{
		netip.MustParseAddrPort("10.0.0.1:40000"): OK, netip.MustParseAddrPort("192.0.2.8:40000"): OK, netip.MustParseAddrPort("[64:ff9b::10.0.0.1]:443"): OwnListener,
		netip.MustParseAddrPort("[2001:db8::1]:443"): NotAllowed, netip.MustParseAddrPort("[::ffff:10.9.0.1]:1"): Denied,
	}
	return func() {
		for peer, want := range peers {
			if got := p.Allows(peer, extra); got != want {
				t.Fatalf("%v: %q, want %q", peer, got, want)
			}
		}
	}
}

func TestAllowsAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, asks(t)); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkAllows(b *testing.B) {
	p := New(Config{Allow: prefixes("10.0.0.0/8"), Own: []netip.AddrPort{netip.MustParseAddrPort("[::]:443")}})
	peers := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("[2001:db8::1]:40000")}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.Allows(peers[i%2], nil)
	}
}

// FuzzSpellings: no spelling of a denied IPv4 address passes, all are judged alike, and what is canonical stays so.
func FuzzSpellings(f *testing.F) {
	for _, text := range []string{"127.0.0.1", "169.254.169.254", "10.1.2.3", "8.8.8.8", "0.0.0.1", "0.0.0.0"} {
		b := netip.MustParseAddr(text).As4()
		f.Add(b[:])
		for _, a := range spellings(netip.MustParseAddr(text)) {
			b := a.As16()
			f.Add(b[:])
		}
	}
	p := open(Config{Deny: prefixes("10.0.0.0/8", "192.168.0.0/16")})
	all := func(netip.Addr) bool { return true }
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		c := Canonical(a)
		if again := Canonical(c); again != c || c.Zone() != "" || c.Is4In6() {
			t.Fatalf("%v is %v, that is %v", a, c, again)
		}
		want := p.Permits(c, all)
		if got := p.Permits(a, all); got != want && (got != Embedded || !tunnelled(a.WithZone(""))) {
			t.Fatalf("%v is %q, %v is %q", a, got, c, want)
		}
		if !c.Is4() {
			return
		}
		for _, s := range spellings(c) {
			if got := p.Permits(s, all); got != want && (got != Embedded || !nat64Local.Contains(s.WithZone("")) && !tunnelled(s)) {
				t.Fatalf("%v, a spelling of %v, is %q, not %q", s, c, got, want)
			}
		}
	})
}
