package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testBase   = "company.local"
	testDomain = "xmpp.company.local"
)

// now is the time of all tests that do not run on the real or the virtual clock.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// identity is a certificate with its key.
type identity struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newECKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// edit changes a template before it is signed.
type edit func(*x509.Certificate)

func template(cn string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: cn},
		NotBefore:             now.Add(-24 * time.Hour),
		NotAfter:              now.Add(90 * 24 * time.Hour),
		BasicConstraintsValid: true,
	}
}

// sign issues a certificate for key; a nil parent makes it self-signed.
func sign(t testing.TB, tmpl *x509.Certificate, key crypto.Signer, parent *identity) *identity {
	t.Helper()
	signer := &identity{cert: tmpl, key: key}
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
	return &identity{cert: cert, key: key}
}

func newCA(t testing.TB, cn string, parent *identity, edits ...edit) *identity {
	t.Helper()
	tmpl := template(cn)
	tmpl.IsCA, tmpl.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	tmpl.NotBefore, tmpl.NotAfter = now.AddDate(-5, 0, 0), now.AddDate(5, 0, 0)
	for _, e := range edits {
		e(tmpl)
	}
	return sign(t, tmpl, newECKey(t), parent)
}

func newLeafCert(t testing.TB, parent *identity, names []string, edits ...edit) *identity {
	t.Helper()
	tmpl := template(testDomain)
	tmpl.DNSNames = names
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, e := range edits {
		e(tmpl)
	}
	return sign(t, tmpl, newECKey(t), parent)
}

func valid(from, until time.Time) edit {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, until }
}

// pki is a root, an intermediate and a leaf for the test domain.
type pki struct{ root, inter, leaf *identity }

func newPKI(t testing.TB, edits ...edit) pki {
	t.Helper()
	root := newCA(t, "Test Root", nil)
	inter := newCA(t, "Test Intermediate", root)
	return pki{root, inter, newLeafCert(t, inter, []string{"*." + testBase}, edits...)}
}

// bundle is the seed's order: key, certificate, chain, root.
func (p pki) bundle(t testing.TB) []byte {
	t.Helper()
	return concat(p.leaf.keyPEM(t), p.leaf.certPEM(), p.inter.certPEM(), p.root.certPEM())
}

func (i *identity) certPEM() []byte { return block1("CERTIFICATE", i.cert.Raw) }

func (i *identity) keyPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return block1("PRIVATE KEY", der)
}

func block1(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// noRoots stands for a system that knows no root, so that tests do not depend on the machine's.
func noRoots() *x509.CertPool { return x509.NewCertPool() }

func testOptions() Options { return Options{Domain: testDomain, Roots: noRoots()} }

// dir is a certs.dir with the files given.
func dir(t testing.TB, files map[string][]byte) string {
	t.Helper()
	d := t.TempDir()
	for name, data := range files {
		put(t, filepath.Join(d, name), data)
	}
	return d
}

// put replaces a file as careful programs do.
func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// aroundNow makes a certificate valid on the clock that the test runs on, real or virtual.
func aroundNow() edit { return valid(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)) }

func newStore(t testing.TB, d string, log *zap.Logger) *Store {
	t.Helper()
	s, err := New(Config{Dir: d}, RequiredFor(testBase, testDomain), log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
