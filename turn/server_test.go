package turn

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/turn/control"
	"signalbox/turn/turntest"
	"signalbox/turn/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

// settings are those of a server on loopback.
func settings() control.Settings {
	return control.Settings{
		Realm: "signalbox", Relay: []control.RelayAddress{{Bind: loopback, Announced: loopback}}, MinPort: 49152, MaxPort: 65535,
		MaxAllocations: 1000, SessionAllocations: 16, TechnicianAllocations: 128, LogLevel: "debug", LogFormat: "json",
	}
}

// world is a running server.
type world struct {
	*Server
	t                 *testing.T
	reg               *prometheus.Registry
	udp, tcp, streams string
	dialled           atomic.Int32 // TLS clients, each with a port of its own
}

var secret = []byte("the secret of the test")

func start(t *testing.T, s control.Settings) *world {
	t.Helper()
	w := &world{t: t, reg: prometheus.NewRegistry()}
	var err error
	if w.Server, err = New(s, zaptest.NewLogger(t), w.reg); err != nil {
		t.Fatal(err)
	}
	w.Secrets(control.Secrets{Current: secret})
	in := w.sockets()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, in) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

// sockets opens one of each kind.
func (w *world) sockets() Sockets {
	w.t.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		w.t.Fatal(err)
	}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.streams = filepath.Join(w.t.TempDir(), "s")
	streams, err := net.Listen("unix", w.streams)
	if err != nil {
		w.t.Fatal(err)
	}
	w.udp, w.tcp = udp.LocalAddr().String(), tcp.Addr().String()
	return Sockets{UDP: []*net.UDPConn{udp}, TCP: []net.Listener{tcp}, Streams: streams}
}

// dial connects by "udp", "tcp", or "tls", whose bytes come on the Unix socket behind a PROXY header.
func (w *world) dial(network string) *turntest.Client {
	w.t.Helper()
	addr := map[string]string{"udp": w.udp, "tcp": w.tcp}[network]
	if network == "tls" {
		network, addr = "unix", w.streams
	}
	c, err := turntest.Dial(network, addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() }) // the test may have closed it
	if network == "unix" {
		h := proxyproto.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 77), Port: 4711 + int(w.dialled.Add(1))}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443})
		if _, err := h.WriteTo(c); err != nil {
			w.t.Fatal(err)
		}
	}
	return c
}

func (w *world) open(id string) {
	w.t.Helper()
	if err := w.Open(control.Session{ID: id, Owner: "node", Expires: time.Now().Add(time.Minute)}); err != nil {
		w.t.Fatal(err)
	}
}

// allocated is a client of a side, with its allocation.
func (w *world) allocated(network, id string, side byte) (*turntest.Client, netip.AddrPort) {
	w.t.Helper()
	user := control.Username(time.Now().Add(time.Minute), id, side)
	c := w.dial(network).As(user, control.Password(secret, user))
	relayed, err := c.Allocate()
	if err != nil {
		w.t.Fatalf("allocate by %s: %v", network, err)
	}
	return c, relayed
}

// TestTransports: a client of each transport relays to one of the next.
func TestTransports(t *testing.T) {
	w := start(t, settings())
	w.open("ses_1")
	for _, pair := range [][2]string{{"udp", "tcp"}, {"tcp", "tls"}, {"tls", "udp"}} {
		a, relayedA := w.allocated(pair[0], "ses_1", 'a')
		b, relayedB := w.allocated(pair[1], "ses_1", 'b')
		if err := a.Bind(0x4000, relayedB); err != nil {
			t.Fatal(err)
		}
		if err := b.Bind(0x4001, relayedA); err != nil {
			t.Fatal(err)
		}
		payload := []byte(strings.Join(pair[:], " to "))
		if err := a.SendChannel(0x4000, payload); err != nil {
			t.Fatal(err)
		}
		if d, err := b.Receive(); err != nil || d.Channel != 0x4001 || !bytes.Equal(d.Payload, payload) {
			t.Errorf("%s: received %q on channel %x, %v", payload, d.Payload, d.Channel, err)
		}
	}
	waitFor(t, "six allocations and three packets each way in the counters", func() bool { // a packet is counted when it has been sent
		counters, found := w.Counters("ses_1")
		return found && counters.Allocations == 6 && counters.Open == 6 && counters.PacketsUp == 3 && counters.PacketsDown == 3
	})
}

// TestMappedAddress: the address that a TLS client is told is that of the PROXY header.
func TestMappedAddress(t *testing.T) {
	w := start(t, settings())
	c := w.dial("tls")
	if err := c.Once(wire.TypeBindingRequest); err != nil {
		t.Fatal(err)
	}
	v, _ := c.Last.Get(wire.AttrXORMappedAddress)
	if mapped, _ := c.Last.Addr(v); mapped.String() != "192.0.2.77:4712" {
		t.Errorf("mapped address %v", mapped)
	}
}

// TestMetricNames: serve takes over what begins like this, and nothing else.
func TestMetricNames(t *testing.T) {
	w := start(t, settings())
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) < 10 {
		t.Errorf("%d metrics", len(families))
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "signalbox_turn_") {
			t.Errorf("metric %s would be lost: want signalbox_turn_…", f.GetName())
		}
	}
}

// TestSettingsThatDoNotFit end the start with a sentence.
func TestSettingsThatDoNotFit(t *testing.T) {
	for name, change := range map[string]func(*control.Settings){
		"relay_ip": func(s *control.Settings) { s.Relay[0].Bind = netip.MustParseAddr("192.0.2.1") }, "no address": func(s *control.Settings) { s.Relay = nil },
	} {
		s := settings()
		change(&s)
		if _, err := New(s, zaptest.NewLogger(t), prometheus.NewRegistry()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPortsOfOthers: a server whose relay ports the system gives to others says so at its start, and no other server does.
func TestPortsOfOthers(t *testing.T) {
	for given, want := range map[string]int{"32768 60999": 1, "32768 49151": 0} {
		file := filepath.Join(t.TempDir(), "range")
		if err := os.WriteFile(file, []byte(given), 0o600); err != nil {
			t.Fatal(err)
		}
		core, logs := observer.New(zap.WarnLevel)
		if _, err := newServer(settings(), file, zap.New(core), prometheus.NewRegistry()); err != nil {
			t.Fatal(err)
		}
		if said := logs.FilterMessage("relay ports").All(); len(said) != want {
			t.Errorf("where others get ports %s there are %d warnings, want %d: %v", given, len(said), want, said)
		}
	}
}

// waitFor waits until what was started elsewhere has happened.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(turntest.Patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", turntest.Patience, what)
		case <-tick.C:
		}
	}
}
