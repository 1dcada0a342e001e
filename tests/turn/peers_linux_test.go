package turn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/tests/turn/rawturn"
)

// peer is somebody whom relays reach and who is no client.
type peer struct {
	*net.UDPConn
	addr netip.AddrPort
}

func newPeer(t *testing.T, ip netip.Addr) *peer {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &peer{c, c.LocalAddr().(*net.UDPAddr).AddrPort()}
}

func (p *peer) send(t *testing.T, to netip.AddrPort, payload []byte) {
	t.Helper()
	_, err := p.WriteToUDPAddrPort(payload, to)
	must(t, err)
}

// next returns the next datagram, or rawturn.ErrSilence.
func (p *peer) next(wait time.Duration) (payload []byte, from netip.AddrPort, err error) {
	b := make([]byte, 64<<10)
	_ = p.SetReadDeadline(time.Now().Add(wait))
	n, from, err := p.ReadFromUDPAddrPort(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = rawturn.ErrSilence
	}
	return b[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
}

// patterned is a payload in which no two places look alike.
func patterned(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// newOutside is a stand whose relays are on this machine's own address, at which peers may be reached, and which listens there too.
func newOutside(t *testing.T, more string) (s *stand, four netip.Addr) {
	t.Helper()
	relay := outside(t)
	four, _ = outsideAddrs(t)
	return newStand(t, settings{turn: relay + "  allow_peers: [" + four.String() + "]\n  " + more, listen: []string{"127.0.0.1:0", four.String() + ":0"}}), four
}

// TestPeers is what a relay lets through between a client and a peer.
func TestPeers(t *testing.T) {
	s, four := newOutside(t, "")
	p := s.probe()
	t.Run("networks", func(t *testing.T) { // ends when all of it has
		for _, network := range []string{"udp", "tcp", "tls"} {
			for name, test := range map[string]func(*probe, string, netip.Addr){
				"permission": (*probe).beforePermission, "sizes": (*probe).sizes, "unreachable": (*probe).unreachable,
			} {
				t.Run(network+" "+name, func(t *testing.T) {
					t.Parallel()
					test(p.inner(t), network, four)
				})
			}
		}
	})
	t.Run("own listeners", func(t *testing.T) { p.inner(t).ownListeners(s, four) })
	t.Run("bound to the relay address", func(t *testing.T) { p.inner(t).bound(s) })
	p.alive()
	p.rests()
}

// inner is the probe in a subtest.
func (p *probe) inner(t *testing.T) *probe { return &probe{T: t, target: p.target, wait: p.wait} }

// beforePermission: peer data before a permission is dropped, by a channel's peer alone it comes on the channel.
func (p *probe) beforePermission(network string, four netip.Addr) {
	c, relayed := p.allocated(network, p.user())
	x, other := newPeer(p.T, four), newPeer(p.T, four)
	x.send(p.T, relayed, []byte("too early"))
	if data, err := c.Payload(silent); !errors.Is(err, rawturn.ErrSilence) {
		p.Errorf("before the permission came %q, %v", data, err)
	}
	p.must(c.SendTo(x.addr, []byte("too early")))
	if data, _, err := x.next(silent); !errors.Is(err, rawturn.ErrSilence) {
		p.Errorf("the peer got %q, %v without a permission", data, err)
	}
	p.must(c.Permit(four))
	x.send(p.T, relayed, []byte("permitted"))
	p.must(p.arrives(c, []byte("permitted")))
	p.must(c.SendTo(x.addr, []byte("hello")))
	if data, from, err := x.next(p.wait); err != nil || string(data) != "hello" || from != relayed {
		p.Errorf("the peer got %q from %v, %v, want hello from %v", data, from, err, relayed)
	}
	p.must(c.Bind(0x4FFF, x.addr))
	for sender, channel := range map[*peer]uint16{x: 0x4FFF, other: 0} {
		sender.send(p.T, relayed, []byte("by channel?"))
		if got, err := c.Next(p.wait); err != nil || got.Channel != channel {
			p.Errorf("the peer's data came on channel %#x, %v, want %#x", got.Channel, err, channel)
		}
	}
	p.must(c.SendOn(0x4000, []byte("no such channel")))
	if data, _, err := x.next(silent); !errors.Is(err, rawturn.ErrSilence) {
		p.Errorf("the peer got %q, %v by a channel that is not bound", data, err)
	}
}

// sizes: peer datagrams of up to 1500 bytes arrive whole; larger ones do so or not at all, never cut.
func (p *probe) sizes(network string, four netip.Addr) {
	c, relayed := p.allocated(network, p.user())
	x := newPeer(p.T, four)
	p.must(c.Permit(four))
	for _, bound := range []bool{false, true} {
		if bound {
			p.must(c.Bind(0x4000, x.addr))
		}
		for _, n := range []int{1, 2, 3, 4, 5, 100, 1199, 1200, 1400, 1472, 1500, 1501, 1592, 1600, 1601, 1700, 2000, 4000, 9000, 20000} {
			payload := patterned(n)
			x.send(p.T, relayed, payload)
			p.whole(fmt.Sprintf("%d bytes down, channel: %v", n, bound), payload, n <= 1500, func() ([]byte, error) { return c.Payload(p.waitFor(n)) })
			if network != "udp" && n > 1500 {
				continue // a frame that large ends the stream, see the table
			}
			if bound {
				p.must(c.SendOn(0x4000, payload))
			} else {
				p.must(c.SendTo(x.addr, payload))
			}
			p.whole(fmt.Sprintf("%d bytes up, channel: %v", n, bound), payload, n <= 1500, func() ([]byte, error) {
				data, _, err := x.next(p.waitFor(n))
				return data, err
			})
		}
	}
}

func (p *probe) waitFor(size int) time.Duration {
	if size > 1500 {
		return silent
	}
	return p.wait
}

func (p *probe) whole(what string, want []byte, must bool, receive func() ([]byte, error)) {
	p.Helper()
	got, err := receive()
	switch {
	case err == nil && bytes.Equal(got, want):
	case err == nil:
		p.Errorf("%s: %d bytes came, cut or changed", what, len(got))
	case must:
		p.Errorf("%s: %v", what, err)
	}
}

// unreachable: an ICMP error for one peer ends nothing.
func (p *probe) unreachable(network string, four netip.Addr) {
	c, relayed := p.allocated(network, p.user())
	gone, x := newPeer(p.T, four), newPeer(p.T, four)
	p.must(gone.Close())
	p.must(c.Permit(four))
	for range 5 {
		p.must(c.SendTo(gone.addr, []byte("is anybody there?")))
		p.must(c.SendTo(x.addr, []byte("here")))
		if data, _, err := x.next(p.wait); err != nil || string(data) != "here" {
			p.Fatalf("the peer got %q, %v", data, err)
		}
		x.send(p.T, relayed, []byte("and back"))
		p.must(p.arrives(c, []byte("and back")))
	}
}

// ownListeners: the address is open, its ports on which this server listens are not: neither a channel to them, nor a datagram.
func (p *probe) ownListeners(s *stand, four netip.Addr) {
	c, _ := p.allocated("udp", p.user())
	p.must(c.Permit(four))
	for _, text := range s.addrs["turn_udp"] {
		own := netip.MustParseAddrPort(text)
		if got := p.do(c, rawturn.ChannelBind, rawturn.Channel(0x4000), rawturn.Peer(own)); got != "403" {
			p.Errorf("a channel to our own listener %v: %s, want 403", own, got)
		}
		p.must(c.SendTo(own, rawturn.New(rawturn.Binding).Encode())) // to which it would answer
		if data, err := c.Payload(silent); !errors.Is(err, rawturn.ErrSilence) {
			p.Errorf("our own listener %v answered %x, %v through the relay", own, data, err)
		}
	}
}

// bound: no socket of the TURN process but those of listeners is open to more than the relay's address.
func (p *probe) bound(s *stand) {
	_, relayed := p.allocated("udp", p.user())
	found := false
	for _, a := range udpSockets(p.T, s.child()) {
		found = found || a == relayed
		if a.Addr().IsUnspecified() {
			p.Errorf("a UDP socket on %v", a)
		}
	}
	if !found {
		p.Errorf("no UDP socket on %v, which the client was told", relayed)
	}
}

// udpSockets returns the local addresses of a process's UDP sockets.
func udpSockets(t *testing.T, pid int) (addrs []netip.AddrPort) {
	t.Helper()
	inodes := map[string]bool{}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	must(t, err)
	for _, f := range files {
		link, _ := os.Readlink(f) // it may be closed by now
		inodes[strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")] = true
	}
	for _, table := range []string{"udp", "udp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		must(t, err)
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 9 && inodes[f[9]] {
				addrs = append(addrs, parseSocket(t, f[1]))
			}
		}
	}
	return addrs
}

// parseSocket reads an address as /proc/net/udp has it: words in the byte order of the machine, in hexadecimal.
func parseSocket(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	var port uint16
	host, after, _ := strings.Cut(text, ":")
	_, err := fmt.Sscanf(after, "%X", &port)
	must(t, err)
	var ip []byte
	for ; host != ""; host = host[8:] {
		var word uint32
		_, err := fmt.Sscanf(host[:8], "%X", &word)
		must(t, err)
		ip = binary.NativeEndian.AppendUint32(ip, word)
	}
	a, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(a.Unmap(), port)
}

// relays are the relay sockets of the TURN process. The system's table of sockets is read in pieces, so one that is there may be missed while others come and go.
func (s *stand) relays() map[netip.AddrPort]bool {
	s.t.Helper()
	found := map[netip.AddrPort]bool{}
	for _, a := range udpSockets(s.t, s.child()) {
		if a.Port() >= 49152 && !slices.Contains(s.addrs["turn_udp"], a.String()) {
			found[a] = true
		}
	}
	return found
}

// wantRelays waits until there are as many relay sockets.
func (s *stand) wantRelays(n int) {
	s.t.Helper()
	var found map[netip.AddrPort]bool
	await(s.t, func() bool {
		found = s.relays()
		return len(found) == n
	}, func() string { return fmt.Sprintf("%d relay sockets, want %d", len(found), n) })
}

// TestVanish: when the connection of a client ends, in whichever way, its allocation is freed.
func TestVanish(t *testing.T) {
	s := newStand(t, settings{})
	p := s.probe()
	for _, network := range []string{"tcp", "tls"} {
		for way, end := range map[string]func(*rawturn.Client) error{"closed": func(c *rawturn.Client) error { return c.Close() }, "reset": (*rawturn.Client).Reset} {
			t.Run(network+" "+way, func(t *testing.T) {
				p, took := p.inner(t), time.Hour
				for tries := 0; took > time.Second && tries < 3; tries++ { // a busy machine is late now and then: the best of three counts
					c, _ := p.allocated(network, p.user())
					s.wantRelays(1)
					begun := time.Now()
					must(t, end(c))
					s.wantRelays(0)
					took = min(took, time.Since(begun))
				}
				if took > time.Second {
					t.Errorf("freed after %v, want 1 s", took)
				}
			})
		}
	}
	p.alive()
	p.rests()
}
