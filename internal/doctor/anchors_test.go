package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"testing"
	"time"
)

type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate for a name, by itself if there is no parent.
func issue(t *testing.T, name string, ca bool, parent *issued) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: ca, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
	}
	if !ca {
		tmpl.DNSNames = []string{name}
	}
	signer := &issued{tmpl, key}
	if parent != nil {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, signer.cert, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{cert, key}
}

// install replaces the bundle of x.
func install(t *testing.T, x *examination, leaf *issued, chain ...*issued) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for _, c := range append([]*issued{leaf}, chain...) {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})...)
	}
	put(t, filepath.Join(x.Config.Certs.Dir, domain+".pem"), text)
}

// TestWhatAClientIsTakenToTrust: a root that lies on the endpoints alone, and what a laboratory allows, are warned of once and are no reason to refuse the ports.
func TestWhatAClientIsTakenToTrust(t *testing.T) {
	root := issue(t, "Root", true, nil)
	between := issue(t, "Between", true, root)
	for _, tc := range []struct {
		name    string
		install func(*testing.T, *examination)
		warning string
	}{
		{"the root in the file", func(t *testing.T, x *examination) { install(t, x, issue(t, domain, false, between), between, root) }, ""},
		{"the root elsewhere", func(t *testing.T, x *examination) { install(t, x, issue(t, domain, false, between), between) }, "(root_missing)"},
		{"self-signed in a laboratory", func(t *testing.T, x *examination) {
			x.Config.Certs.AllowSelfSigned = true
			install(t, x, issue(t, domain, false, nil))
		}, "(self_signed)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			tc.install(t, x)
			x.Config.Listen.TLS = []string{serving(t, x, &tls.Config{}, "")}
			x.take(t.Context(), []Step{TLS})
			want := []string{"ok signalbox.yaml", "key, chain and names are good", "a client accepts it", "a client accepts it"}
			if tc.warning != "" {
				want = []string{want[0], tc.warning, "ok " + x.Config.Certs.Dir + "/" + domain + ".pem: covers " + domain, want[2], want[3]}
			}
			wantLines(t, x, want...)
		})
	}
}
