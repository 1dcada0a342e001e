package webhook

import (
	"errors"
	"net/netip"
	"testing"
)

func TestGuard(t *testing.T) {
	own := func() map[string][]string {
		return map[string][]string{"tls": {"0.0.0.0:443"}, "api": {"127.0.0.1:8080"}}
	}
	local := func() ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.0.5.2"), netip.MustParseAddr("203.0.113.5")}, nil
	}
	allow, err := Default().allowed()
	if err != nil {
		t.Fatal(err)
	}
	standard := guard{allow: allow, own: own, local: local}
	strict := guard{own: own, local: local}
	all := guard{allow: prefixes("0.0.0.0/0", "::/0"), own: own, local: local}
	management := guard{any: true, own: own, local: local}
	for _, tc := range []struct {
		addr                              string
		standard, strict, all, management bool
	}{
		{"203.0.113.9:443", true, true, true, true},
		{"[2001:db8::1]:443", true, true, true, true},
		{"10.0.5.1:443", true, false, true, true},
		{"192.168.1.1:8443", true, false, true, true},
		{"[fd12::1]:443", true, false, true, true},
		{"[::ffff:10.0.5.1]:443", true, false, true, true},
		{"[64:ff9b::a00:501]:443", true, false, true, true}, // NAT64 of 10.0.5.1
		{"100.64.0.1:443", false, false, true, true},
		{"127.0.0.1:443", false, false, false, false}, // a port of our own
		{"127.0.0.1:9000", false, false, true, true},
		{"127.1.2.3:9000", false, false, true, true},
		{"[::1]:9000", false, false, true, true},
		{"[::ffff:127.0.0.1]:9000", false, false, true, true},
		{"[::7f00:1]:9000", false, false, true, true},          // IPv4-compatible
		{"[64:ff9b::7f00:1]:9000", false, false, true, true},   // NAT64
		{"[2002:7f00:1::]:9000", false, false, true, true},     // 6to4
		{"[64:ff9b:1::7f00:1]:9000", false, false, true, true}, // NAT64 of one's own prefix
		{"[::ffff:0:7f00:1]:9000", false, false, true, true},   // IPv4-translated
		{"[::ffff:0:a9fe:a9fe]:80", false, false, false, true},
		{"0.0.0.0:9000", false, false, false, true},
		{"[::]:9000", false, false, false, true},
		{"169.254.169.254:80", false, false, false, true},
		{"[::ffff:169.254.169.254]:80", false, false, false, true},
		{"[64:ff9b::a9fe:a9fe]:80", false, false, false, true},
		{"[2002:a9fe:a9fe::1]:80", false, false, false, true},
		{"[fe80::1]:443", false, false, false, true},
		{"[fd00:ec2::254]:80", false, false, false, true},
		{"100.100.100.200:80", false, false, false, true},
		{"168.63.129.16:80", false, false, false, true},
		{"224.0.0.1:443", false, false, false, true},
		{"255.255.255.255:443", false, false, false, true},
		{"[ff02::1]:443", false, false, false, true},
		{"[2001::1]:443", false, false, false, true}, // Teredo
		{"10.0.5.2:443", false, false, false, false},
		{"203.0.113.5:443", false, false, false, false},
		{"[64:ff9b::a00:502]:443", false, false, false, false},
		{"127.0.0.1:8080", false, false, false, false},
		{"10.0.5.2:8080", true, false, true, true}, // the API listens on loopback alone
	} {
		to := netip.MustParseAddrPort(tc.addr)
		for name, g := range map[string]struct {
			guard
			want bool
		}{"standard": {standard, tc.standard}, "strict": {strict, tc.strict}, "all open": {all, tc.all}, "management": {management, tc.management}} {
			err := g.check(to)
			var forbidden *forbiddenError
			if (err == nil) != g.want || err != nil && !errors.As(err, &forbidden) {
				t.Errorf("%s: check(%s) = %v, want allowed %v", name, tc.addr, err, g.want)
			}
		}
	}
	blind := guard{own: own, local: func() ([]netip.Addr, error) { return nil, errors.New("no interfaces") }}
	if blind.check(netip.MustParseAddrPort("203.0.113.9:443")) == nil {
		t.Error("a port like ours is reached where it is not known which addresses are ours")
	}
	if g := standard; g.control(t.Context(), "tcp", "localhost:443", nil) == nil {
		t.Error("a name passes where addresses are looked at")
	}
}
