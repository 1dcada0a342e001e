package turn

import (
	"net/netip"
	"testing"
)

func TestPlaces(t *testing.T) {
	p := newPlaces(3, 2)
	take := func(a, want string) (release func()) {
		t.Helper()
		release, why := p.take(netip.MustParseAddr(a))
		if why != want {
			t.Errorf("a connection from %s: %q, want %q", a, why, want)
		}
		return release
	}
	take("192.0.2.1", "")
	second := take("::ffff:192.0.2.1", "")
	take("192.0.2.1", crowdedSource)
	last := take("2001:db8:1:2::1", "")
	take("192.0.2.2", crowdedAll)
	second()
	take("192.0.2.1", "")
	last()
	take("2001:db8:1:2::2", "")
	if n := p.taken(); n != 3 {
		t.Errorf("%d places taken, want 3", n)
	}
	p = newPlaces(10, 1)
	take("2001:db8:1:2::1", "")
	take("2001:db8:1:2:ffff::1", crowdedSource)
	take("2001:db8:1:3::1", "")
}
