package doctor

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/turn/control"
)

// bound answers a Binding request: the sender is seen at an address.
func bound(request []byte, at netip.AddrPort) []byte {
	family, addr := byte(1), at.Addr().AsSlice()
	if at.Addr().Is6() {
		family = 2
	}
	for i := range addr {
		addr[i] ^= request[4+i]
	}
	value := append([]byte{0, family, 0, 0}, addr...)
	binary.BigEndian.PutUint16(value[2:], at.Port()^0x2112)
	b := []byte{0x01, 0x01, 0, byte(12 + len(value))}
	b = append(b, request[4:20]...)
	b = append(b, 0x80, 0x22, 0, 3, 'a', 'b', 'c', 0) // SOFTWARE, padded
	return append(append(b, 0, 0x20, 0, byte(len(value))), value...)
}

// where returns where a test's server says that it sees a client.
type where func(client netip.AddrPort) netip.AddrPort

func truly(client netip.AddrPort) netip.AddrPort { return client }

// bindings answers Bindings on connections of TCP or TLS.
func bindings(at where) func(net.Conn) {
	return func(conn net.Conn) {
		request := make([]byte, 20)
		if _, err := io.ReadFull(conn, request); err == nil {
			_, _ = conn.Write(bound(request, at(addrPortOf(conn.RemoteAddr()))))
		}
	}
}

// datagrams answers the datagrams that come to an address; answer nil: none.
func datagrams(t *testing.T, answer func(request []byte, from netip.AddrPort) []byte) string {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if text := answer(b[:n], from); text != nil {
				_, _ = c.WriteToUDPAddrPort(text, from)
			}
		}
	})
	t.Cleanup(func() { _ = c.Close(); running.Wait() })
	return c.LocalAddr().String()
}

func bindingsOf(at where) func([]byte, netip.AddrPort) []byte {
	return func(request []byte, from netip.AddrPort) []byte { return bound(request, at(from)) }
}

// rungs has x say of a running server that it serves TURN on loopback.
func rungs(x *examination, udp, tcp, overTLS string) {
	x.Config.Listen.TURN, x.Config.Listen.TLS = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}
	x.Running = map[string][]string{"turn_udp": {udp}, "turn_tcp": {tcp}, "tls": {overTLS}}
}

// secured answers Bindings inside TLS, as the shared port does.
func secured(t *testing.T, x *examination, cfg *tls.Config, answer func(net.Conn)) string {
	cfg.Certificates = append(cfg.Certificates, keyPair(t, x))
	return answering(t, func(conn net.Conn) {
		c := tls.Server(conn, cfg)
		if c.HandshakeContext(t.Context()) == nil {
			answer(c)
		}
	})
}

// wantSome asserts that the lines that are wrong or warn are these, but for what the machine's own ports are like.
func wantSome(t *testing.T, x *examination, texts ...string) {
	t.Helper()
	var got []string
	for i, l := range lines(x) {
		if c := x.checks[i]; (!c.OK || c.Warning) && c.Check != "ports of the system" {
			got = append(got, l)
			if c.Action == "" {
				t.Errorf("%s: no word of what to do", l)
			}
		}
	}
	if len(got) != len(texts) {
		t.Fatalf("%d lines, want %d:\n%s", len(got), len(texts), strings.Join(got, "\n"))
	}
	for i := range got {
		if !strings.Contains(got[i], texts[i]) {
			t.Errorf("line %d is %q, want %q in it", i, got[i], texts[i])
		}
	}
}

func TestTURNRungs(t *testing.T) {
	elsewhere := func(netip.AddrPort) netip.AddrPort { return netip.MustParseAddrPort("10.1.2.3:4") }
	turnTLS := func() *tls.Config { return &tls.Config{NextProtos: []string{alpnTURN}} }
	const loopback = "warning relay address 127.0.0.1: is loopback"
	for _, tc := range []struct {
		name string
		edit func(*testing.T, *examination)
		want []string
	}{
		{"all answer", func(t *testing.T, x *examination) {
			rungs(x, datagrams(t, bindingsOf(truly)), answering(t, bindings(truly)), secured(t, x, turnTLS(), bindings(truly)))
		}, []string{loopback}},
		{"addresses are changed on the way", func(t *testing.T, x *examination) {
			rungs(x, datagrams(t, bindingsOf(elsewhere)), answering(t, bindings(truly)), secured(t, x, turnTLS(), bindings(truly)))
		}, []string{"warning listen.turn UDP 127.0.0.1:", loopback}},
		{"the first datagram is lost", func(t *testing.T, x *examination) {
			n := 0
			rungs(x, datagrams(t, func(request []byte, from netip.AddrPort) []byte {
				if n++; n == 1 {
					return nil
				}
				return bound(request, from)
			}), answering(t, bindings(truly)), secured(t, x, turnTLS(), bindings(truly)))
		}, []string{loopback}},
		{"nothing there over UDP", func(t *testing.T, x *examination) {
			rungs(x, "127.0.0.1:1", answering(t, bindings(truly)), secured(t, x, turnTLS(), bindings(truly)))
		}, []string{"wrong listen.turn UDP 127.0.0.1:1: nothing listens there", loopback}},
		{"silence", func(t *testing.T, x *examination) {
			x.patience = 100 * time.Millisecond
			rungs(x, datagrams(t, func([]byte, netip.AddrPort) []byte { return nil }), answering(t, func(net.Conn) {}), "")
			x.Config.Listen.TLS = nil
		}, []string{": the port is open, and no Binding is answered", "wrong listen.turn TCP 127.0.0.1:", loopback}},
		{"nobody to hand connections to", func(t *testing.T, x *examination) {
			hangUp := func(c net.Conn) { _ = c.Close() }
			rungs(x, datagrams(t, bindingsOf(truly)), answering(t, hangUp), secured(t, x, turnTLS(), hangUp))
		}, []string{
			": closes the connection without an answer", "TURN ALPN stun.turn: closes the connection without an answer", "TURN without ALPN: closes the connection without an answer", loopback,
		}},
		{"other programs", func(t *testing.T, x *examination) {
			echo := func(request []byte, _ netip.AddrPort) []byte { return request[:4] }
			mail := func(c net.Conn) { _, _ = c.Write([]byte("220 mail.example ESMTP ready\r\n")) }
			rungs(x, datagrams(t, echo), answering(t, mail), secured(t, x, &tls.Config{}, bindings(truly)))
		}, []string{
			"answers something that is no STUN: another program has the port", "answers something that is no STUN: another program has the port",
			"TURN ALPN stun.turn: does not take the protocol stun.turn", loopback,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			tc.edit(t, x)
			x.take(t.Context(), []Step{TURN})
			wantSome(t, x, tc.want...)
		})
	}
}

func TestTURNOffOrElsewhere(t *testing.T) {
	x := example(t)
	x.Config.Listen.TURN = nil
	x.take(t.Context(), []Step{TURN})
	wantLines(t, x, "ok signalbox.yaml", "ok listen.turn: TURN is off")

	for _, tc := range []struct{ url, want string }{
		{"tls://" + answering(t, func(net.Conn) {}), ": can be connected to"},
		{"tls://127.0.0.1:1", "wrong tls://127.0.0.1:1: the TURN server cannot be reached"},
	} {
		x.checks, x.Config.TURN.Control.URL = nil, tc.url
		x.take(t.Context(), []Step{TURN})
		wantLines(t, x, "ok signalbox.yaml", tc.want, "warning server: the server does not run")
	}
}

// TestRunningTURN: what a server says of itself.
func TestRunningTURN(t *testing.T) {
	for _, tc := range []struct {
		running Running
		url     string
		want    []string
	}{
		{Running{}, "", []string{"ok process: TURN is off"}},
		{Running{TURN: true}, "tls://turn.example:3479", []string{"ok process: is at work"}},
		{Running{TURN: true, TURNAway: "it is gone"}, "tls://turn.example:3479", []string{"wrong process: it is gone"}},
		{Running{TURN: true}, "", []string{"ok process: is at work", "warning relay address 127.0.0.1: is loopback", "relay ports 49152 to 65535", "ports of the system"}},
	} {
		x := example(t)
		x.Config.TURN.Control.URL, x.Config.Listen.TURN = tc.url, []string{"127.0.0.1:0"}
		x.ownTURN(&tc.running)
		wantLines(t, x, tc.want...)
	}
}

func TestRelayAddresses(t *testing.T) {
	const local = "127.0.0.1"
	parse := netip.MustParseAddr
	for _, tc := range []struct {
		name            string
		bind, announced string
		public          []string
		want            string
	}{
		{"loopback", local, local, nil, "warning relay address 127.0.0.1: is loopback"},
		{"another machine's", "192.0.2.1", "192.0.2.1", nil, "wrong relay address 192.0.2.1: relay ports cannot be bound to it"},
		{"translated", local, "203.0.113.9", []string{"203.0.113.9"}, "ok relay address 127.0.0.1: clients are told 203.0.113.9"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			x.Config.TURN.PublicIP = tc.public
			x.relayAddress(control.RelayAddress{Bind: parse(tc.bind), Announced: parse(tc.announced)})
			wantLines(t, x, tc.want)
		})
	}
	for addr, want := range map[string]bool{"10.0.0.5": true, "192.168.1.1": true, "100.64.0.1": true, "fd00::1": true, "fe80::1": true, "203.0.113.9": false, "2001:db8::1": false} {
		if got := inside(parse(addr)); got != want {
			t.Errorf("inside(%s) = %v, want %v", addr, got, want)
		}
	}
}

// TestPrivateRelay takes an address of this machine that is private, if it has one.
func TestPrivateRelay(t *testing.T) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || !p.Addr().IsPrivate() {
			continue
		}
		x := example(t)
		r := control.RelayAddress{Bind: p.Addr(), Announced: p.Addr()}
		x.relayAddress(r)
		x.Config.TURN.PublicIP = []string{p.Addr().String()} // no client is outside
		x.relayAddress(r)
		wantLines(t, x, "warning relay address "+p.Addr().String()+": is private, and turn.public_ip names no other", "ok relay address "+p.Addr().String()+": clients are told this address")
		return
	}
	t.Skip("this machine has no private address")
}

func TestRelaySettings(t *testing.T) {
	x := example(t)
	x.Config.Listen.TURN = []string{"127.0.0.1:3478"}
	x.Config.TURN.PublicIP = []string{"2001:db8::1"}
	x.Config.TURN.RESTSecretFile = filepath.Join(x.Config.DataDir, "none")
	x.relay()
	wantLines(t, x, "wrong turn.public_ip: 2001:db8::1 has no address of its family", "wrong turn.rest_secret_file: ")
}

func TestRelayPorts(t *testing.T) {
	for _, tc := range []struct {
		ports int
		want  string
	}{
		{15, "warning relay ports 50000 to 50014: are 15, and one session may allocate 16"}, {16, "warning relay ports 50000 to 50015: are 16, and one technician may allocate 128"},
		{128, "ok relay ports 50000 to 50127: are enough for 128 allocations on each relay address"}, {1000, "ok relay ports 50000 to 50999: are enough for the 1000 allocations of turn.max_allocations"},
	} {
		x := example(t)
		x.Config.TURN.MinPort, x.Config.TURN.MaxPort, x.Config.TURN.MaxAllocations = 50000, 50000+tc.ports-1, 1000
		x.relayPorts()
		wantLines(t, x, tc.want)
	}
}

func TestPortsOfTheSystem(t *testing.T) {
	for _, tc := range []struct{ system, action string }{
		{"32768 60999", `sysctl -w net.ipv4.ip_local_port_range="32768 49151", and`}, {"48000 65000", `sysctl -w net.ipv4.ip_local_port_range="55001 65000", and`},
		{"50000 55000", "set turn.min_port and turn.max_port outside of 50000 to 55000"}, {"32768 49151", ""},
	} {
		x := example(t)
		x.Config.TURN.MinPort, x.Config.TURN.MaxPort = 49152, 55000
		file := filepath.Join(x.Config.DataDir, "range")
		put(t, file, []byte(tc.system+"\n"))
		x.ephemeralPorts(file)
		if c := x.checks[0]; !strings.HasPrefix(c.Action, tc.action) || c.Warning != (tc.action != "") {
			t.Errorf("system gives %s: %+v, want %q", tc.system, c, tc.action)
		}
	}
}

func TestOtherServers(t *testing.T) {
	nowhere := func(netip.AddrPort) netip.AddrPort { return netip.MustParseAddrPort("0.0.0.0:9") }
	x := example(t)
	x.Config.Listen.TURN = nil
	both, closed := datagrams(t, bindingsOf(truly)), "127.0.0.1:1"
	odd, overTLS := answering(t, bindings(nowhere)), secured(t, x, &tls.Config{}, bindings(truly))
	x.Config.TURN.Servers = []string{"stun:" + both, "turn:" + both, "turn:" + odd + "?transport=tcp", "turns:" + overTLS, "stun:" + closed}
	x.take(t.Context(), []Step{TURN})
	wantLines(t, x, "ok signalbox.yaml", "ok listen.turn", "ok turn.servers "+both+" UDP: answers, and sees this machine at 127.0.0.1:",
		"wrong turn.servers "+odd+" TCP: answers, and says that it sees us at 0.0.0.0:9", "wrong turn.servers "+overTLS+" TLS: does not answer a Binding: tls: ", "wrong turn.servers 127.0.0.1:1 UDP: does not answer a Binding: ")
}

func TestMappedAddress(t *testing.T) {
	request := newBinding()
	for _, text := range []string{"192.0.2.1:5000", "[2001:db8::1]:3478"} {
		at := netip.MustParseAddrPort(text)
		if got, err := mappedAddress(bound(request, at), request); err != nil || got != at {
			t.Errorf("mappedAddress = %v, %v, want %v", got, err, at)
		}
	}
	good := bound(request, netip.MustParseAddrPort("192.0.2.1:5000"))
	refusal := append([]byte{0x01, 0x11, 0, 0}, request[4:]...)
	silent := append([]byte{0x01, 0x01, 0, 0}, request[4:]...)
	if _, err := mappedAddress(silent, request); !errors.Is(err, errNoAddress) {
		t.Errorf("without an address: %v", err)
	}
	if _, err := mappedAddress(refusal, request); err == nil || !strings.Contains(err.Error(), "refuses a Binding (message type 0x0111)") {
		t.Errorf("a refusal: %v", err)
	}
	for name, answer := range map[string][]byte{"cut": good[:len(good)-4], "another transaction": bound(newBinding(), netip.MustParseAddrPort("192.0.2.1:5000")), "empty": nil} {
		if _, err := mappedAddress(answer, request); !errors.Is(err, errNoSTUN) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzMappedAddress: what any server answers is read without harm, and an address that was read is read again from an answer that is made of it.
func FuzzMappedAddress(f *testing.F) {
	request := make([]byte, 20)
	binary.BigEndian.PutUint32(request[4:], stunCookie)
	f.Add(bound(request, netip.MustParseAddrPort("192.0.2.1:5000")))
	f.Add(bound(request, netip.MustParseAddrPort("[2001:db8::1]:3478")))
	f.Fuzz(func(t *testing.T, answer []byte) {
		at, err := mappedAddress(answer, request)
		if err != nil {
			return
		}
		if again, err := mappedAddress(bound(request, at), request); err != nil || again != at {
			t.Errorf("%v is read again as %v, %v", at, again, err)
		}
	})
}
