package listen

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/certs"
	"signalbox/internal/link"
)

// clientCA is an authority in a file, and makes certificates.
type clientCA struct {
	*certs.ClientCA
	make func(until time.Time) *tls.Certificate
}

func newClientCA(t testing.TB) clientCA {
	t.Helper()
	key := newKey(t)
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Clients"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root = sign(t, root, root, key, key)
	path := filepath.Join(t.TempDir(), "clients.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	ca, err := certs.NewClientCA(path)
	if err != nil {
		t.Fatal(err)
	}
	return clientCA{ca, func(until time.Time) *tls.Certificate {
		own := newKey(t)
		leaf := sign(t, &x509.Certificate{
			SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			URIs: []*url.URL{{Scheme: "xmpp", Opaque: "pc-1@" + testDomain}},
		}, root, own, key)
		return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: own}
	}}
}

// show presents this certificate when it is asked for one.
func show(cfg *tls.Config, c *tls.Certificate) (asked *atomic.Bool) {
	asked = new(atomic.Bool)
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked.Store(true)
		return c, nil
	}
	return asked
}

// TestClientCertificate: asked for where XMPP is meant or nothing else is spoken, if there is an authority; never elsewhere.
func TestClientCertificate(t *testing.T) {
	tests := []struct {
		listener string
		alpn     []string
		without  bool // an authority
		want     bool
	}{
		{"tls", []string{"xmpp-client"}, false, true},
		{"tls", []string{"http/1.1"}, false, false},
		{"tls", []string{"stun.turn"}, false, false},
		{"tls", nil, false, false},
		{"xmpp", []string{"xmpp-client"}, false, true},
		{"xmpp", nil, false, true},
		{"tls", []string{"xmpp-client"}, true, false},
		{"xmpp", nil, true, false},
	}
	for _, tt := range tests {
		name := tt.listener + " " + strings.Join(tt.alpn, ",")
		if tt.without {
			name += " without an authority"
		}
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testConfig(), Protocols()...)
			ca := newClientCA(t)
			if !tt.without {
				w.server.AskClients(ca.ClientCA)
			}
			w.start()
			cfg := w.clientTLS(tt.alpn...)
			own := ca.make(time.Now().Add(time.Hour))
			asked := show(cfg, own)
			writes(t, tls.Client(w.dial(tt.listener), cfg), "<stream>")
			got := w.next().info.TLS.Client
			if asked.Load() != tt.want {
				t.Errorf("asked for a client certificate: %v, want %v", asked.Load(), tt.want)
			}
			if known := len(got.Addresses) == 1 && got.Addresses[0] == "pc-1@"+testDomain && got.Leaf != [32]byte{}; known != tt.want {
				t.Errorf("the handler is told %+v", got)
			}
		})
	}
}

// TestBadClientCertificate: a certificate that does not count is as good as none, and none is as good as before.
func TestBadClientCertificate(t *testing.T) {
	good, foreign := newClientCA(t), newClientCA(t)
	for name, own := range map[string]*tls.Certificate{
		"none":               {},
		"expired":            good.make(time.Now().Add(-time.Minute)),
		"another authority":  foreign.make(time.Now().Add(time.Hour)),
		"that of the server": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testConfig(), XMPP)
			w.server.AskClients(good.ClientCA)
			w.start()
			if own == nil {
				server, err := tls.X509KeyPair(w.bundle.pem, w.bundle.pem)
				if err != nil {
					t.Fatal(err)
				}
				own = &server
			}
			cfg := w.clientTLS("xmpp-client")
			asked := show(cfg, own)
			writes(t, tls.Client(w.dial("tls"), cfg), "<stream>")
			if got := w.next().info.TLS.Client; got.Addresses != nil || !asked.Load() {
				t.Errorf("the handler is told %+v, asked: %v", got, asked.Load())
			}
			refused := 1.0
			if name == "none" {
				refused = 0
			}
			if got := testutil.ToFloat64(w.server.metrics.clients.WithLabelValues(clientRefused)); got != refused {
				t.Errorf("refused %v, want %v", got, refused)
			}
		})
	}
}

// TestClientCertificateOfAResumedHandshake is verified again, since what is trusted may have changed.
func TestClientCertificateOfAResumedHandshake(t *testing.T) {
	w := newWorld(t, testConfig(), XMPP)
	ca := newClientCA(t)
	w.server.AskClients(ca.ClientCA)
	w.start()
	cfg := w.clientTLS("xmpp-client")
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	show(cfg, ca.make(time.Now().Add(time.Hour)))
	login := func() link.TLS {
		c := tls.Client(w.dial("tls"), cfg)
		writes(t, c, "<stream>")
		h := w.next()
		writes(t, h.conn, "<stream>")
		reads(t, c, "<stream>") // with the ticket before it
		return h.info.TLS
	}
	first, second := login(), login()
	if first.Resumed || !second.Resumed || len(second.Client.Addresses) != 1 || second.Client.Leaf != first.Client.Leaf {
		t.Errorf("first %+v, second %+v, want the second resumed with the same certificate", first.Client, second.Client)
	}
	if n := testutil.ToFloat64(w.server.metrics.clients.WithLabelValues(clientVerified)); n != 2 {
		t.Errorf("verified %v times, want 2", n)
	}
}
