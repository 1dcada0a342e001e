package batch

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRunsOfPackets(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.1:2")
	for _, tc := range []struct {
		name string
		out  []Packet
		want int
	}{
		{"alone", packets(a, 10), 1},
		{"one size", packets(a, 10, 10, 10), 3},
		{"the last is shorter", packets(a, 10, 10, 4, 4), 3},
		{"the second is longer", packets(a, 10, 11), 1},
		{"empty", packets(a, 0, 0), 1},
		{"an empty one behind", packets(a, 10, 10, 0), 2},
		{"another address", append(packets(a, 10, 10), packets(b, 10)...), 2},
		{"as many as the kernel takes", packets(a, make100(10)...), 64},
		{"as many bytes as fit", packets(a, make100(1500)...), 43},
	} {
		if got := run(tc.out); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

func packets(to netip.AddrPort, sizes ...int) (out []Packet) {
	for _, n := range sizes {
		out = append(out, Packet{Data: make([]byte, n), To: to})
	}
	return out
}

func make100(n int) []int {
	all := make([]int, 100)
	for i := range all {
		all[i] = n
	}
	return all
}

// TestOffloadThatIsRefused: what the kernel says decides whether packets are tried one by one, and where they are from then on.
func TestOffloadThatIsRefused(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.1:2")
	for _, tc := range []struct {
		errno                      unix.Errno
		again, thereOnly, anywhere bool
	}{
		{unix.EINVAL, true, true, false}, {unix.EMSGSIZE, true, true, false}, {unix.EIO, true, true, true}, {unix.EOPNOTSUPP, true, true, true},
		{unix.ENETUNREACH, false, false, false}, {unix.EPERM, false, false, false},
	} {
		var s sender
		s.init(false)
		if again := s.limit(tc.errno, a); again != tc.again || s.whole(a) != tc.thereOnly || s.whole(b) != tc.anywhere {
			t.Errorf("%v: again = %v, one by one there %v, elsewhere %v; want %v, %v, %v", tc.errno, again, s.whole(a), s.whole(b), tc.again, tc.thereOnly, tc.anywhere)
		}
	}
}
