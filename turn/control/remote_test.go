package control

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// own is an address of loopback that no other test has, for ports that are closed and opened again: a free port of 127.0.0.1 may be another program's meanwhile.
const own = "127.86.75.31"

// authority signs certificates of both ends.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign writes NAME.crt and NAME.key.
func (a *authority) sign(t *testing.T, name string, tmpl *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tmpl.SerialNumber, tmpl.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	tmpl.NotBefore, tmpl.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	must(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	for ext, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: raw}} {
		must(t, os.WriteFile(filepath.Join(a.dir, name+ext), pem.EncodeToMemory(block), 0o600))
	}
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert, key
}

// files returns the section turn.control of one end, whose certificate has these uses.
func (a *authority) files(t *testing.T, name string, uses ...x509.ExtKeyUsage) Remote {
	t.Helper()
	a.sign(t, name, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(own)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: uses})
	at := func(file string) string { return filepath.Join(a.dir, file) }
	return Remote{CertFile: at(name + ".crt"), KeyFile: at(name + ".key"), CAFile: at("ca.crt")}
}

var bothUses = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}

// startGateway runs a TURN process of another host and returns where it is controlled.
func startGateway(t *testing.T, files Remote, addr string, f *fakeTURN) (at string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	must(t, err)
	server := NewServer(f, prometheus.NewRegistry(), []Socket{{SocketUDP, "[::]:3478"}}, zap.NewNop())
	g, err := NewGateway(files, server, f.answerStream, zap.NewNop())
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l) }()
	var once bool
	stop = func() {
		if cancel(); !once {
			once = true
			must(t, <-ended)
		}
	}
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func remoteClient(t *testing.T, files Remote, at string) *Client {
	t.Helper()
	cfg := Default()
	cfg.Control = files
	cfg.Control.URL = "tls://" + at
	must(t, cfg.Validate())
	c, err := New(cfg, "node", zap.NewNop(), prometheus.NewRegistry())
	must(t, err)
	return c
}

// TestTURNProcessOnAnotherHost: sessions, addresses and streams cross the network, and are there again after a restart.
func TestTURNProcessOnAnotherHost(t *testing.T) {
	a := newAuthority(t)
	first := newFakeTURN()
	there := a.files(t, "turn", bothUses...)
	at, stop := startGateway(t, there, own+":0", first)
	c := remoteClient(t, a.files(t, "serve", bothUses...), at)
	c.Announce("xmpp.example.com", []string{"[::]:443"})
	run(t, c)
	must(t, c.Open(t.Context(), session("a")))
	if diff := cmp.Diff([]string{"turn:" + own + ":3478?transport=udp", "turns:xmpp.example.com:443?transport=tcp"}, c.URLs()); diff != "" {
		t.Errorf("URLs (-want +got):\n%s", diff)
	}
	s := &site{Client: c}
	client := s.visit(t)
	r := bufio.NewReader(client)
	head, err := r.ReadString('\n')
	must(t, err)
	if !strings.HasSuffix(head, " [a] from 192.0.2.7:5000 at 198.51.100.1:443\n") {
		t.Errorf("the TURN process sees %q", head)
	}
	stop()
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("after its end: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.End(short, "a", "over"); !errors.Is(err, ErrAway) {
		t.Errorf("End() while it is away = %v, want ErrAway", err)
	}
	second := newFakeTURN()
	startGateway(t, there, at, second)
	must(t, c.Open(t.Context(), session("b")))
	if diff := cmp.Diff([]string{"b"}, second.open()); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
}

// TestWhoMayControl: each end must show a certificate by the authority that the other knows, for what it is used for.
func TestWhoMayControl(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	good := a.files(t, "good", bothUses...)
	mixed := other.files(t, "mixed", bothUses...) // a certificate by another authority, which knows ours
	mixed.CAFile = good.CAFile
	for _, tt := range []struct {
		name         string
		turn, client Remote
		fine         bool
	}{
		{"both", good, a.files(t, "client", x509.ExtKeyUsageClientAuth), true},
		{"a client of another authority", good, mixed, false},
		{"a client with a server's certificate", good, a.files(t, "server", x509.ExtKeyUsageServerAuth), false},
		{"a TURN process of another authority", mixed, good, false},
		{"a TURN process with a client's certificate", a.files(t, "odd", x509.ExtKeyUsageClientAuth), good, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeTURN()
			at, _ := startGateway(t, tt.turn, "127.0.0.1:0", f)
			c := remoteClient(t, tt.client, at)
			run(t, c)
			if tt.fine {
				must(t, c.Open(t.Context(), session("a")))
				return
			}
			if !eventually(func() bool { return counterValue(t, c.metrics.losses) >= 2 }) {
				t.Error("it is not tried again")
			}
			if c.Away() == nil || f.told().Current != nil {
				t.Error("secrets were told to the wrong one, or taken from it")
			}
		})
	}
}

// TestGatewayWantsAProtocol: a certificate alone is not enough.
func TestGatewayWantsAProtocol(t *testing.T) {
	a := newAuthority(t)
	files := a.files(t, "both", bothUses...)
	at, _ := startGateway(t, files, "127.0.0.1:0", newFakeTURN())
	id, err := newIdentity(files)
	must(t, err)
	for _, protocols := range [][]string{nil, {"h2"}} {
		cfg := id.client("127.0.0.1", "")
		cfg.NextProtos = protocols
		c, err := tls.Dial("tcp", at, cfg)
		if err == nil {
			must(t, c.SetDeadline(time.Now().Add(patience)))
			_, err = c.Read(make([]byte, 1))
			_ = c.Close()
		}
		if err == nil || os.IsTimeout(err) {
			t.Errorf("with protocols %q: %v, want an end", protocols, err)
		}
	}
}

func TestRenewedCertificateIsUsed(t *testing.T) {
	a := newAuthority(t)
	files := a.files(t, "serve", bothUses...)
	c := remoteClient(t, files, "127.0.0.1:1")
	before, _ := c.identity.current()
	a.files(t, "serve", bothUses...)
	must(t, c.Reload())
	after, _ := c.identity.current()
	if before.Leaf.SerialNumber.Cmp(after.Leaf.SerialNumber) == 0 {
		t.Error("the certificate is still the old one")
	}
	must(t, os.WriteFile(files.CertFile, []byte("x"), 0o600))
	if err := c.Reload(); err == nil || !strings.Contains(err.Error(), "control.cert_file: ") {
		t.Errorf("Reload() = %v, want a mistake in the certificate", err)
	}
	if still, _ := c.identity.current(); still != after {
		t.Error("a bad file replaced the certificate")
	}
}

func TestFilesOfControlThatCannotBe(t *testing.T) {
	a := newAuthority(t)
	for key, change := range map[string]func(*Remote){
		"control.cert_file": func(r *Remote) { r.KeyFile = filepath.Join(a.dir, "ca.key") },
		"control.ca_file":   func(r *Remote) { r.CAFile = r.KeyFile },
	} {
		files := a.files(t, "x", bothUses...)
		change(&files)
		cfg := Default()
		cfg.Control = files
		cfg.Control.URL = "tls://127.0.0.1:1"
		if _, err := New(cfg, "node", zap.NewNop(), prometheus.NewRegistry()); err == nil || !strings.HasPrefix(err.Error(), key+": ") {
			t.Errorf("New() = %v, want an error about %s", err, key)
		}
	}
}
