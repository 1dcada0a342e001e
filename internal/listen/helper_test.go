package listen

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"signalbox/certs"
	"signalbox/internal/link"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDomain = "xmpp.company.local"

// patience is how long a test waits for what comes at once on a machine that has nothing else to do.
const patience = time.Minute

// own is an address of loopback that no other test has, for ports that are closed and opened again: a free port of 127.0.0.1 may be another program's meanwhile.
const own = "127.86.75.30:0"

// bundle is a root and a leaf for the test domain.
type bundle struct {
	pem   []byte
	roots *x509.CertPool
	leaf  *x509.Certificate
}

func newBundle(t testing.TB, from, until time.Time) bundle {
	t.Helper()
	rootKey, leafKey := newKey(t), newKey(t)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"}, NotBefore: from.AddDate(-1, 0, 0), NotAfter: until.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root = sign(t, root, root, rootKey, rootKey)
	leaf := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: testDomain}, DNSNames: []string{testDomain}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, root, leafKey, rootKey)
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	b := bundle{roots: x509.NewCertPool(), leaf: leaf}
	b.roots.AddCert(root)
	for _, block := range []*pem.Block{{Type: "PRIVATE KEY", Bytes: der}, {Type: "CERTIFICATE", Bytes: leaf.Raw}, {Type: "CERTIFICATE", Bytes: root.Raw}} {
		b.pem = append(b.pem, pem.EncodeToMemory(block)...)
	}
	return b
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// handed is one connection that a handler got.
type handed struct {
	protocol Protocol
	conn     net.Conn
	info     link.Info
}

// catcher is a handler that passes on what it gets and returns, as handlers may.
type catcher struct {
	protocol Protocol
	got      chan<- handed
}

func (h catcher) ServeConn(ctx context.Context, c net.Conn, info link.Info) {
	context.AfterFunc(ctx, func() { c.Close() })
	h.got <- handed{h.protocol, c, info}
}

// world is a server with its surroundings.
type world struct {
	t      testing.TB
	server *Server
	store  *certs.Store
	dir    string
	bundle bundle
	got    chan handed
	cancel context.CancelFunc
	done   chan error
}

// testConfig opens the ports that tests use and nothing else.
func testConfig() Config {
	c := Default()
	c.TLS, c.XMPP, c.TURN, c.API = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, nil, nil
	return c
}

// newWorld makes a server whose handlers are catchers for the protocols given. It is not open yet.
func newWorld(t testing.TB, cfg Config, speaks ...Protocol) *world {
	t.Helper()
	return newWorldWith(t, cfg, newBundle(t, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)), speaks...)
}

func newWorldWith(t testing.TB, cfg Config, b bundle, speaks ...Protocol) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), bundle: b, got: make(chan handed, 100)}
	w.install(b)
	var err error
	w.store, err = certs.New(certs.Config{Dir: w.dir}, certs.RequiredFor("", testDomain), zap.NewNop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	w.server, err = New(cfg, w.store, unread(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range speaks {
		w.server.Register(p, catcher{p, w.got})
	}
	return w
}

// unread is a log in which every line is written and nobody reads any.
func unread() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(io.Discard), zapcore.DebugLevel))
}

func (w *world) install(b bundle) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, testDomain+".pem"), b.pem, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// start opens the sockets and runs the server until the end of the test.
func (w *world) start() *world {
	w.t.Helper()
	if err := w.server.Open(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.run()
	return w
}

func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan error, 1)
	go func() { w.done <- w.server.Run(ctx) }()
	w.t.Cleanup(w.stop)
}

func (w *world) stop() {
	w.cancel()
	if err := <-w.done; err != nil {
		w.t.Errorf("Run() = %v", err)
	}
	w.done <- nil
}

func (w *world) addr(listener string) string {
	w.t.Helper()
	addrs := w.server.Addrs()[listener]
	if len(addrs) == 0 {
		w.t.Fatalf("no listener %s", listener)
	}
	return addrs[0]
}

// dial opens a connection that is closed at the end of the test.
func (w *world) dial(listener string) net.Conn {
	w.t.Helper()
	c, err := net.DialTimeout("tcp", w.addr(listener), patience)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

func (w *world) clientTLS(alpn ...string) *tls.Config {
	return &tls.Config{ServerName: testDomain, RootCAs: w.bundle.roots, NextProtos: alpn}
}

// next waits for the next connection that a handler gets; the test closes it.
func (w *world) next() handed {
	w.t.Helper()
	select {
	case h := <-w.got:
		w.t.Cleanup(func() { h.conn.Close() })
		return h
	case <-time.After(patience):
		w.t.Fatal("no connection was handed over")
		return handed{}
	}
}

// closes waits until the server closes the connection, and returns what it said.
func closes(t testing.TB, c net.Conn) []byte {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	said, err := io.ReadAll(c)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatal("the connection stays open")
	}
	return said
}

// reads expects the next bytes.
func reads(t testing.TB, c net.Conn, want string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, []byte(want)) {
		t.Fatalf("read %q, %v, want %q", got[:n], err, want)
	}
	c.SetReadDeadline(time.Time{})
}

func writes(t testing.TB, c net.Conn, what string) {
	t.Helper()
	if _, err := io.WriteString(c, what); err != nil {
		t.Fatal(err)
	}
}

// wantOpen waits until a listener has so many connections.
func (w *world) wantOpen(listener string, want float64) {
	w.t.Helper()
	late := time.After(patience)
	for {
		open := testutil.ToFloat64(w.server.metrics.open.WithLabelValues(listener))
		if open == want {
			return
		}
		select {
		case <-late:
			w.t.Fatalf("%v connections are open at %s, want %v", open, listener, want)
		case <-time.After(time.Millisecond):
		}
	}
}

// counted returns how many connections were closed for a reason. The server counts before the client can see the end.
func (w *world) counted(r Reason) int {
	return int(testutil.ToFloat64(w.server.metrics.closed.WithLabelValues(string(r))))
}

// wantClosed expects exactly one closed connection, for this reason.
func (w *world) wantClosed(want Reason) {
	w.t.Helper()
	for _, r := range Reasons() {
		n := 0
		if r.Reason == want {
			n = 1
		}
		if got := w.counted(r.Reason); got != n {
			w.t.Errorf("closed_total{reason=%q} = %d, want %d", r.Reason, got, n)
		}
	}
}
