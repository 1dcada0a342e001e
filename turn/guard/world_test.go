package guard

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"signalbox/turn/control"
	"signalbox/turn/datapath"
	"signalbox/turn/policy"
	"signalbox/turn/session"
	"signalbox/turn/turntest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

// relayIP is an address of loopback whose ports are this process's alone, as other tests run beside it.
func relayIP() netip.Addr {
	pid := os.Getpid()
	return netip.AddrFrom4([4]byte{127, 0x40 | byte(pid>>8), byte(pid), 1})
}

// world is a guard with everything around it, on sockets of loopback.
type world struct {
	t        testing.TB
	guard    *Guard
	path     *datapath.Path
	sessions *session.Table
	reg      *prometheus.Registry
	udp, tcp string        // where it listens
	lasts    time.Duration // credentials, from when a client is made
	later    atomic.Int64  // nanoseconds by which the guard's clock is ahead

	mu      sync.Mutex
	secrets control.Secrets
}

// allowed is a range of peers that the policy of a world allows, beside those of a session.
var allowed = netip.MustParsePrefix("198.51.100.0/24")

func newWorld(t testing.TB, change ...func(*options)) *world {
	t.Helper()
	w := build(t, change...)
	w.run()
	return w
}

// options are what tests change of a world.
type options struct {
	Config
	limits session.Limits
	relay  []datapath.RelayAddr
	ports  int           // relay ports; 0: all of them
	lasts  time.Duration // credentials
}

// build returns a world in which nothing runs yet.
func build(t testing.TB, change ...func(*options)) *world {
	t.Helper()
	w := &world{t: t, secrets: control.Secrets{Current: []byte("the secret of today")}, reg: prometheus.NewRegistry()}
	log := zap.NewNop() // a fuzz target may not log for its test
	if one, ok := t.(*testing.T); ok {
		log = zaptest.NewLogger(one, zaptest.Level(zap.InfoLevel)) // debug lines of pion would be most of a test's time
	}
	o := options{
		Config: Config{Realm: "signalbox"}, limits: session.Limits{Allocations: 100, SessionAllocations: 16, TechnicianAllocations: 64},
		relay: []datapath.RelayAddr{{Bind: relayIP()}}, lasts: time.Minute,
	}
	for _, c := range change {
		c(&o)
	}
	w.lasts = o.lasts
	peers := policy.New(policy.Config{Allow: []netip.Prefix{allowed}})
	w.sessions = session.NewTable(o.limits, peers, time.Now)
	var err error
	first, last := uint16(49152), uint16(65535)
	if o.ports > 0 {
		first = last - uint16(o.ports) + 1
	}
	w.path, err = datapath.New(datapath.Config{Relay: o.relay, MinPort: first, MaxPort: last}, log, w.reg)
	if err != nil {
		t.Fatal(err)
	}
	if w.guard, err = New(o.Config, w.path, w.sessions, w.currentSecrets, log, w.reg); err != nil {
		t.Fatal(err)
	}
	w.guard.now, w.guard.nonces.now = w.now, w.now
	w.path.SetControl(w.guard)
	return w
}

// now is the guard's time.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.later.Load())) }

func (w *world) currentSecrets() control.Secrets {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.secrets
}

func (w *world) setSecrets(s control.Secrets) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets = s
}

// run opens listeners and serves until the end of the test, which waits for all that was started.
func (w *world) run() {
	w.t.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		w.t.Fatal(err)
	}
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: loopback.AsSlice()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.udp, w.tcp = udp.LocalAddr().String(), tcp.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t := w.t
	for _, part := range []func(context.Context) error{w.path.Run, w.guard.Run, func(ctx context.Context) error { return w.path.ServeUDP(ctx, udp) }} {
		running.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}
	running.Go(func() {
		for {
			c, err := tcp.AcceptTCP()
			if err != nil {
				return
			}
			running.Go(func() {
				w.path.ServeStream(ctx, c, datapath.TCP, c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort())
			})
		}
	})
	w.t.Cleanup(func() {
		cancel()
		_, _ = udp.Close(), tcp.Close()
		running.Wait()
	})
}

// open opens a session that lasts a minute.
func (w *world) open(id string) { w.openFor(id, time.Minute) }

func (w *world) openFor(id string, d time.Duration) {
	w.t.Helper()
	if err := w.sessions.Open(control.Session{ID: id, Owner: "node", Expires: time.Now().Add(d)}); err != nil {
		w.t.Fatal(err)
	}
}

// dial connects a client without credentials.
func (w *world) dial(network string) *turntest.Client {
	w.t.Helper()
	addr := w.udp
	if network == "tcp" {
		addr = w.tcp
	}
	c, err := turntest.Dial(network, addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() }) // the test may have closed it
	return c
}

// client connects a client with the credentials of one side of a session.
func (w *world) client(network, id string, side byte) *turntest.Client {
	w.t.Helper()
	return w.as(w.dial(network), id, side)
}

// as gives a client the credentials of one side of a session.
func (w *world) as(c *turntest.Client, id string, side byte) *turntest.Client {
	user := control.Username(time.Now().Add(w.lasts), id, side)
	return c.As(user, control.Password(w.currentSecrets().Current, user))
}

// allocated is a client that has an allocation.
func (w *world) allocated(network, id string, side byte) (*turntest.Client, netip.AddrPort) {
	w.t.Helper()
	c := w.client(network, id, side)
	relayed, err := c.Allocate()
	if err != nil {
		w.t.Fatalf("allocate: %v", err)
	}
	return c, relayed
}

// metric returns the sum of a metric's samples that have this value in one of their labels; any if it is empty.
func (w *world) metric(name, label string) (sum float64) {
	w.t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			fits := label == ""
			for _, l := range m.GetLabel() {
				fits = fits || l.GetValue() == label
			}
			if fits {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// patience bounds waits that end long before where all is well.
const patience = 30 * time.Second

// waitFor waits until what was started elsewhere has happened.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}
