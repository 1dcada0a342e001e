package listen

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestExpiredCertificate keeps the ports closed until the file changes.
func TestExpiredCertificate(t *testing.T) {
	cfg := testConfig()
	cfg.TLS, cfg.XMPP, cfg.HTTP = []string{own}, []string{own}, []string{own}
	w := newWorldWith(t, cfg, newBundle(t, time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour)), XMPP)
	if err := w.server.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := w.server.Addrs()
	w.run()
	w.until(func() bool { return w.refusesDial("tls") && w.refusesDial("xmpp") && !w.refusesDial("http") })

	w.bundle = newBundle(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	w.install(w.bundle)
	if _, err := w.store.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until(func() bool { return !w.refusesDial("tls") && !w.refusesDial("xmpp") })
	if diff := cmp.Diff(before, w.server.Addrs()); diff != "" {
		t.Errorf("addresses after reopening (-want +got)\n%s", diff)
	}
	writes(t, tls.Client(w.dial("tls"), w.clientTLS("xmpp-client")), "<")
	reads(t, w.next().conn, "<")
}

func (w *world) refusesDial(listener string) bool {
	c, err := net.DialTimeout("tcp", w.addr(listener), time.Second)
	if err == nil {
		c.Close()
	}
	return err != nil
}

// until waits for a condition of the outside world.
func (w *world) until(cond func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-end:
			w.t.Fatal("the condition does not come true")
		}
	}
}

// TestReopenTaken has another program take the port while it is closed, and give it back.
func TestReopenTaken(t *testing.T) {
	cfg := testConfig()
	cfg.TLS = []string{own}
	w := newWorldWith(t, cfg, newBundle(t, time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour)), XMPP)
	core, logs := observer.New(zapcore.ErrorLevel)
	w.server.log = zap.New(core)
	w.start()
	var thief net.Listener
	w.until(func() (stolen bool) {
		var err error
		thief, err = net.Listen("tcp", w.addr("tls"))
		return err == nil
	})
	w.bundle = newBundle(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	w.install(w.bundle)
	if _, err := w.store.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until(func() bool { return logs.FilterMessage("listener cannot be opened again").Len() > 0 })
	thief.Close()
	w.until(func() bool { return !w.refusesDial("tls") })
}

// TestExpiresWhileRunning closes the ports and keeps the connections.
func TestExpiresWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWith(t, testConfig(), newBundle(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)), STARTTLS)
		ln := w.pipes("xmpp")
		c := dialPipe(t, ln)
		writes(t, c, "<")
		h := w.next()
		time.Sleep(2 * time.Hour)
		if _, err := w.store.Reload(t.Context()); err != nil { // what the store's own loop does when the time comes
			t.Fatal(err)
		}
		<-ln.closed
		go io.WriteString(h.conn, "still here")
		reads(t, c, "still here")
		w.stop()
	})
}

// TestStop is the begin of a drain: no new connections, the old ones live on.
func TestStop(t *testing.T) {
	w := newWorld(t, testConfig(), STARTTLS).start()
	c := w.dial("xmpp")
	writes(t, c, "<")
	h := w.next()
	w.server.Stop()
	w.server.Stop()
	if !w.refusesDial("xmpp") || !w.refusesDial("tls") {
		t.Error("a port is open after Stop")
	}
	writes(t, h.conn, "bye")
	reads(t, c, "bye")
	w.stop()
	closes(t, c)
}

func TestOpenTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	other, err := net.Listen("tcp", own)
	if err != nil {
		t.Fatal(err)
	}
	free := other.Addr()
	other.Close()
	cfg := testConfig()
	cfg.TLS = []string{free.String()}
	cfg.XMPP = []string{"127.0.0.1:0", taken.Addr().String()}
	w := newWorld(t, cfg)
	err = w.server.Open(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "listen.xmpp: open "+taken.Addr().String()+": the port is taken by another program; stop it or change listen.xmpp") {
		t.Errorf("Open() = %v", err)
	}
	again, err := net.Listen("tcp", free.String())
	if err != nil {
		t.Fatalf("a port stays open after a failed Open: %v", err)
	}
	again.Close()
}

func TestOpenForeignAddress(t *testing.T) {
	_, err := OpenTCP(t.Context(), "listen.api", []string{"192.0.2.1:0"})
	if err == nil || !strings.Contains(err.Error(), "this machine does not have that address; change listen.api") {
		t.Errorf("OpenTCP() = %v", err)
	}
}

func TestRunBeforeOpen(t *testing.T) {
	if err := newWorld(t, testConfig()).server.Run(t.Context()); err == nil {
		t.Error("Run() before Open() = nil")
	}
}

func TestMaxConnections(t *testing.T) {
	cfg := testConfig()
	cfg.MaxConnections = 2
	w := newWorld(t, cfg, STARTTLS).start()
	var last handed
	for range 2 {
		writes(t, w.dial("xmpp"), "<")
		last = w.next()
	}
	closes(t, w.dial("xmpp"))
	w.wantClosed(TooMany)
	if got := testutil.ToFloat64(w.server.metrics.open.WithLabelValues("xmpp")); got != 2 {
		t.Errorf("connections{listener=xmpp} = %v, want 2", got)
	}
	last.conn.Close()
	writes(t, w.dial("xmpp"), "<")
	w.next()
}

// TestCrowdLeaves: who comes right after a crowd that held every place has left is not refused for those of them whose end was not read yet.
func TestCrowdLeaves(t *testing.T) {
	const crowd = 64
	cfg := testConfig()
	cfg.MaxConnections, cfg.FirstByteTimeout = crowd, patience
	w := newWorld(t, cfg, STARTTLS).start()
	for range 20 {
		members := make([]net.Conn, crowd)
		for i := range members {
			members[i] = w.dial("xmpp") // and says nothing
		}
		w.wantOpen("xmpp", crowd)
		for _, c := range members {
			c.Close()
		}
		honest := w.dial("xmpp")
		writes(t, honest, "<")
		w.next().conn.Close()
		w.wantOpen("xmpp", 0)
	}
}

// TestHeldHandshakes fills every place with clients that stop in the middle: others are accepted, wait, and get their turn; one from
// elsewhere comes before the crowd.
func TestHeldHandshakes(t *testing.T) {
	cfg := behindProxy()
	cfg.MaxHandshakes, cfg.HandshakeQueue = 4, 18
	cfg.HandshakeTimeout, cfg.QueueTimeout = patience, patience // none is over in this test
	w := newWorld(t, cfg, XMPP, STARTTLS).start()
	hello := string(clientHello(t))
	hold := func() net.Conn {
		c := w.dial("tls")
		writes(t, c, header(t, 2, "192.0.2.1:1", "192.0.2.9:443")+hello)
		return c
	}
	var held []net.Conn
	for range 4 {
		held = append(held, hold())
	}
	w.until(func() bool { busy, _ := w.server.queue.load(); return busy == 4 })
	for range 9 {
		hold()
	}
	w.until(func() bool { _, waiting := w.server.queue.load(); return waiting == 9 })

	raw := w.dial("tls")
	writes(t, raw, header(t, 2, "192.0.2.2:1", "192.0.2.9:443"))
	c := tls.Client(raw, w.clientTLS("xmpp-client"))
	secured := make(chan error, 1)
	go func() { secured <- c.Handshake() }()
	w.until(func() bool { _, waiting := w.server.queue.load(); return waiting == 10 })
	closes(t, hold()) // one too many of the crowd
	if n := w.counted(QueueFull); n != 1 {
		t.Errorf("closed_total{reason=%q} = %d, want 1", QueueFull, n)
	}
	// Plain text needs no turn.
	plain := w.dial("xmpp")
	writes(t, plain, header(t, 2, "192.0.2.3:1", "192.0.2.9:5222")+"<")
	w.next()

	held[0].Close()
	held[1].Close() // one of the two places goes to the crowd, one to the other source
	if err := <-secured; err != nil {
		t.Fatal(err)
	}
	writes(t, c, "<stream>")
	reads(t, w.next().conn, "<stream>")
}

func TestHandshakeFailures(t *testing.T) {
	tests := []struct {
		name string
		cfg  func(*tls.Config)
		want Reason
	}{
		{"foreign name", func(c *tls.Config) { c.ServerName = "stranger.local" }, SNIUnknown},
		{"refused certificate", func(c *tls.Config) { c.RootCAs = nil }, HandshakeFailed},
		{"TLS 1.1", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }, TLSTooOld},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, testConfig(), XMPP).start()
			cfg := w.clientTLS("xmpp-client")
			tt.cfg(cfg)
			raw := w.dial("tls")
			if err := tls.Client(raw, cfg).Handshake(); err == nil {
				t.Error("Handshake() = nil")
			}
			closes(t, raw)
			w.wantClosed(tt.want)
			if busy, _ := w.server.queue.load(); busy != 0 {
				t.Errorf("%d turns are kept", busy)
			}
			if n := w.server.gate.taken(); n != 0 {
				t.Errorf("%d places of the gate are kept", n)
			}
		})
	}
}

// TestUnwrap takes the wrappers off after the bytes that were looked at.
func TestUnwrap(t *testing.T) {
	w := newWorld(t, testConfig(), XMPP, STARTTLS).start()
	c := tls.Client(w.dial("tls"), w.clientTLS())
	writes(t, c, "<stream>")
	got := w.next().conn
	s := got.(interface{ Unwrap() net.Conn })
	if s.Unwrap() != got {
		t.Error("Unwrap() loses a byte")
	}
	reads(t, got, "<stream>")
	if _, ok := s.Unwrap().(*tls.Conn); !ok {
		t.Errorf("Unwrap() = %T", s.Unwrap())
	}

	writes(t, w.dial("xmpp"), "<stream>")
	got = w.next().conn
	n := got.(interface{ NetConn() net.Conn })
	if n.NetConn() != got {
		t.Error("NetConn() loses bytes")
	}
	reads(t, got, "<stream>")
	if _, ok := n.NetConn().(*net.TCPConn); !ok {
		t.Errorf("NetConn() = %T", n.NetConn())
	}
}
