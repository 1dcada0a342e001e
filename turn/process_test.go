package turn

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/link"
	"signalbox/turn/control"
	"signalbox/turn/turntest"
)

// TestSupervisedEnds: the child of serve ends with its control connection, and when it is told to.
func TestSupervisedEnds(t *testing.T) {
	for name, end := range map[string]func(ours net.Conn, cancel context.CancelFunc){
		"control connection": func(ours net.Conn, _ context.CancelFunc) { _ = ours.Close() },
		"signal":             func(_ net.Conn, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t}
			in := w.sockets()
			ours, theirs := net.Pipe()
			defer ours.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				inherited := &control.Inherited{Control: theirs, Settings: settings(), UDP: in.UDP, TCP: in.TCP, Streams: in.Streams}
				ended <- Supervised(ctx, inherited, zaptest.NewLogger(t), prometheus.NewRegistry())
			}()
			enter(t, ours)
			c := w.dial("udp")
			if _, err := c.Allocate(); turntest.Code(err) != 401 {
				t.Errorf("while it runs: %v, want 401", err)
			}
			end(ours, cancel)
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// enter is a server that has no sessions.
func enter(t *testing.T, c net.Conn) {
	t.Helper()
	answers := bufio.NewReader(c)
	for _, line := range []string{`{"n":1,"do":"hello","hello":{"version":1,"owner":"node"}}`, `{"n":2,"do":"sync"}`} {
		if _, err := io.WriteString(c, line+"\n"); err != nil {
			t.Fatal(err)
		}
		if answer, err := answers.ReadString('\n'); err != nil || strings.Contains(answer, `"error"`) {
			t.Fatalf("%s is answered with %q, %v", line, answer, err)
		}
	}
}

// TestAloneNeedsSomebody: a server that nobody could use says so and does not start.
func TestAloneNeedsSomebody(t *testing.T) {
	err := NewAlone(AloneConfig{Config: control.Default()}, zap.NewNop(), prometheus.NewRegistry()).Run(t.Context())
	if !errors.Is(err, ErrConfig) {
		t.Errorf("%v, want ErrConfig", err)
	}
}

// TestAlone: a server on another host opens sessions over mutual TLS, hands TLS clients on, and gets counters and metrics back.
func TestAlone(t *testing.T) {
	remote := credentials(t)
	cfg := control.Default()
	cfg.RelayIP, cfg.Control = []string{"127.0.0.1"}, remote
	core, logs := observer.New(zap.InfoLevel)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	reg := prometheus.NewRegistry()
	go func() {
		ended <- NewAlone(AloneConfig{Config: cfg, Listen: []string{"127.0.0.1:0"}}, zap.New(core), reg).Run(ctx)
	}()
	cfg.Control.URL = "tls://" + listening(t, logs, "turn.control")
	client, err := control.New(cfg, "node", zaptest.NewLogger(t), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- client.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	if err := client.Open(t.Context(), control.Session{ID: "ses_1", Expires: time.Now().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	user, password, _ := client.Credentials("ses_1", control.SideA)
	udp, err := turntest.Dial("udp", listening(t, logs, "turn udp"))
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if _, err := udp.As(user, password).Allocate(); err != nil {
		t.Errorf("over UDP: %v", err)
	}
	ours, theirs := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		client.ServeConn(t.Context(), theirs, link.Info{Local: netip.MustParseAddrPort("192.0.2.1:443"), Remote: netip.MustParseAddrPort("192.0.2.77:4711")})
	}()
	if _, err := turntest.New(ours).As(user, password).Allocate(); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	_ = ours.Close() // the client goes
	<-served
	if counters, err := client.End(t.Context(), "ses_1", "test"); err != nil || counters.Allocations != 2 {
		t.Errorf("counters %+v, %v", counters, err)
	}
	if families, _ := client.Gather(); len(families) < 10 {
		t.Errorf("%d metrics", len(families))
	}
}

// TestAloneUDP443: with turn.udp_443 clients are served over UDP at the addresses of listen.tls, too, and without it at those of listen.turn alone.
func TestAloneUDP443(t *testing.T) {
	for on, want := range map[bool][]string{false: {"127.0.0.1"}, true: {"127.0.0.1", "127.0.0.2"}} {
		cfg := control.Default()
		cfg.RelayIP, cfg.Control, cfg.UDP443 = []string{"127.0.0.1"}, credentials(t), on
		a := NewAlone(AloneConfig{Config: cfg, Listen: []string{"127.0.0.1:0"}, TLS: []string{"127.0.0.2:0"}}, zaptest.NewLogger(t), prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		select {
		case <-a.Ready():
		case err := <-ended:
			t.Fatalf("it ended with %v", err)
		}
		var got []string
		for _, at := range a.udp {
			got = append(got, at.Addr().String())
			c, err := turntest.Dial("udp", at.String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Allocate(); turntest.Code(err) != 401 {
				t.Errorf("at %v: %v, want 401", at, err)
			}
			_ = c.Close()
		}
		if !slices.Equal(got, want) {
			t.Errorf("with udp_443 %v it takes datagrams at %v, want %v", on, got, want)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// listening waits for the line that says where a listener is.
func listening(t *testing.T, logs *observer.ObservedLogs, name string) string {
	t.Helper()
	deadline := time.NewTimer(turntest.Patience)
	defer deadline.Stop()
	for {
		for _, line := range logs.FilterMessage("listening").All() {
			if text := line.ContextMap()["listener"].(string); len(text) > len(name) && text[:len(name)+1] == name+"=" {
				return text[len(name)+1:]
			}
		}
		select {
		case <-deadline.C:
			t.Fatalf("no listener %s in %v", name, logs.All())
		case <-time.After(time.Millisecond):
		}
	}
}

// credentials writes one certificate that is its own authority, for both ends.
func credentials(t *testing.T) control.Remote {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := control.Remote{Listen: "127.0.0.1:0", CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key"), CAFile: filepath.Join(dir, "cert")}
	for file, block := range map[string]*pem.Block{r.CertFile: {Type: "CERTIFICATE", Bytes: cert}, r.KeyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}
