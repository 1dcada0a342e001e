package control

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addrPorts(texts ...string) (all []netip.AddrPort) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddrPort(text))
	}
	return all
}

// TestListenersReachTheTURNProcess: a TURN process on another host hears which listeners its server has, also those on the address at which the server is seen, and others from one
// that comes back with others.
func TestListenersReachTheTURNProcess(t *testing.T) {
	a := newAuthority(t)
	f := newFakeTURN()
	at, _ := startGateway(t, a.files(t, "turn", bothUses...), "127.0.0.1:0", f)
	files := a.files(t, "serve", bothUses...)
	for _, listeners := range [][]netip.AddrPort{addrPorts("192.0.2.9:8080", "[2001:db8::9]:443"), addrPorts("[::]:444")} {
		c := remoteClient(t, files, at)
		c.Protect(listeners)
		stop := run(t, c)
		must(t, c.Open(t.Context(), session("a")))
		want := everywhere(listeners, localAddrs())
		for _, l := range want {
			want = append(want, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), l.Port()))
		}
		if diff := cmp.Diff(want, f.listeners("node"), sameAddrs); diff != "" || len(want) == 0 {
			t.Errorf("%v arrive as (-want +got):\n%s", listeners, diff)
		}
		stop()
	}
}

// TestEverywhere: what stands for all addresses becomes each of them, but those that nothing opens, and one for both families counts once.
func TestEverywhere(t *testing.T) {
	local := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("127.0.0.1")}
	got := everywhere(addrPorts("[::]:443", "0.0.0.0:443", "[::ffff:10.0.0.9]:8080", "127.0.0.1:8081", "[fe80::1%eth0]:5222"), local)
	want := addrPorts("10.0.0.1:443", "[2001:db8::1]:443", "10.0.0.9:8080", "[fe80::1]:5222")
	if diff := cmp.Diff(want, got, sameAddrs); diff != "" {
		t.Errorf("everywhere() (-want +got):\n%s", diff)
	}
	many := make([]netip.Addr, 2*maxOwn)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
	}
	if n := len(everywhere(addrPorts("[::]:443"), many)); n != maxOwn {
		t.Errorf("%d of %d addresses, want %d", n, len(many), maxOwn)
	}
}

// TestTooManyListeners: a hello with more than there may be is refused, as whoever wrote it is none of ours.
func TestTooManyListeners(t *testing.T) {
	a := &attendance{server: newFakeServer(newFakeTURN())}
	h := &hello{Version: protocolVersion, Owner: "node", Own: make([]netip.AddrPort, maxOwn+1)}
	if _, err := a.do(message{Do: doHello, Hello: h}); err == nil || !strings.Contains(err.Error(), "listeners") {
		t.Errorf("it is answered with %v", err)
	}
}
