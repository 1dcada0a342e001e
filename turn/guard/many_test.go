package guard

import (
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox/turn/datapath"
	"signalbox/turn/turntest"
)

// many is how many allocations a server must be able to carry, of the 16,384 that the default ports could.
const many = 15_000

// TestManyAllocations: all but the last of the relay ports can be used, none fails, and all come back.
func TestManyAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes with the race detector; the run of what can only be counted without it has this, too")
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < many+1000 {
		t.Skipf("LEFT OUT: %d allocations need more than %d open files (ulimit -n)", many, files.Cur)
	}
	w := newWorld(t, unlimited, func(o *options) { o.limits.Allocations = many })
	var running sync.WaitGroup
	ports := map[uint16]bool{}
	for i := range many {
		id := "ses_" + strconv.Itoa(i/4)
		if i%4 == 0 {
			w.openFor(id, time.Hour)
		}
		c := w.piped(&running, id, i)
		relayed, err := c.Allocate()
		if err != nil {
			t.Fatalf("allocation %d: %v", i+1, err)
		}
		if ports[relayed.Port()] {
			t.Fatalf("port %d is given out twice", relayed.Port())
		}
		ports[relayed.Port()] = true
	}
	if _, err := w.client("udp", "ses_1", 'b').Allocate(); turntest.Code(err) != 486 {
		t.Errorf("one more: %v, want 486", err)
	}
}

// piped is a client whose stream is no socket, so that the test needs no file for it.
func (w *world) piped(running *sync.WaitGroup, id string, n int) *turntest.Client {
	ours, theirs := net.Pipe()
	remote := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n >> 14)}), uint16(1024+n&0x3FFF))
	running.Go(func() {
		w.path.ServeStream(w.t.Context(), theirs, datapath.TLS, netip.MustParseAddrPort("192.0.2.1:443"), remote)
	})
	return w.as(turntest.New(ours), id, 'a')
}
