package batch

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRunsOfPackets(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.1:2")
	for _, tc := range []struct {
		name    string
		largest int
		out     []Packet
		want    int
	}{
		{"alone", 2000, packets(a, 10), 1},
		{"one size", 2000, packets(a, 10, 10, 10), 3},
		{"the last is shorter", 2000, packets(a, 10, 10, 4, 4), 3},
		{"the second is longer", 2000, packets(a, 10, 11), 1},
		{"empty", 2000, packets(a, 0, 0), 1},
		{"an empty one behind", 2000, packets(a, 10, 10, 0), 2},
		{"another address", 2000, append(packets(a, 10, 10), packets(b, 10)...), 2},
		{"larger than the kernel takes", 9, packets(a, 10, 10), 1},
		{"as many as the kernel takes", 2000, packets(a, make100(10)...), 64},
		{"as many bytes as fit", 2000, packets(a, make100(1500)...), 43},
	} {
		if got := run(tc.out, tc.largest); got != tc.want {
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

// TestOffloadThatIsRefused: what the kernel says decides whether smaller segments, none, or none of these packets are tried.
func TestOffloadThatIsRefused(t *testing.T) {
	for _, tc := range []struct {
		errno   unix.Errno
		again   bool
		largest int32
	}{{unix.EINVAL, true, 1199}, {unix.EMSGSIZE, true, 1199}, {unix.EIO, true, 0}, {unix.EOPNOTSUPP, true, 0}, {unix.ENETUNREACH, false, MaxDatagram}, {unix.EPERM, false, MaxDatagram}} {
		var s sender
		s.init(false)
		if again := s.limit(tc.errno, 1200); again != tc.again || s.largest.Load() != tc.largest {
			t.Errorf("%v: again = %v, largest = %d; want %v, %d", tc.errno, again, s.largest.Load(), tc.again, tc.largest)
		}
	}
}
