package mistakes

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

const (
	base   = "company.local"
	domain = "xmpp." + base
	bundle = "certs/" + base + ".pem" // as the installations that Signalbox takes the place of name it
)

// identity is a certificate with its key.
type identity struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// pki is a root, an intermediate and the server's certificate for every name one label below the base.
type pki struct{ root, inter, leaf *identity }

func newPKI(t *testing.T, edits ...func(*x509.Certificate)) pki {
	t.Helper()
	root := newCA(t, "Company Root", nil)
	inter := newCA(t, "Company Intermediate", root)
	return pki{root, inter, newLeaf(t, inter, edits...)}
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newCA(t *testing.T, name string, parent *identity, edits ...func(*x509.Certificate)) *identity {
	t.Helper()
	edits = append([]func(*x509.Certificate){func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.NotAfter = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, time.Now().AddDate(5, 0, 0)
	}}, edits...)
	return issue(t, name, newKey(t), parent, edits...)
}

func newLeaf(t *testing.T, parent *identity, edits ...func(*x509.Certificate)) *identity {
	t.Helper()
	return issue(t, domain, newKey(t), parent, append([]func(*x509.Certificate){asServer}, edits...)...)
}

func asServer(c *x509.Certificate) {
	c.DNSNames, c.KeyUsage, c.ExtKeyUsage = []string{"*." + base}, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

// issue makes a certificate; without a parent it signs itself.
func issue(t *testing.T, name string, key crypto.Signer, parent *identity, edits ...func(*x509.Certificate)) *identity {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(0, 3, 0),
	}
	for _, edit := range edits {
		edit(tmpl)
	}
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

// valid sets when a certificate is valid, in days from now.
func valid(from, until int) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		const day = 24 * time.Hour // also where the clocks change
		c.NotBefore, c.NotAfter = time.Now().Add(time.Duration(from)*day), time.Now().Add(time.Duration(until)*day)
	}
}

func names(all ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = all }
}

func (i *identity) certPEM() []byte { return block("CERTIFICATE", i.cert.Raw) }

func (i *identity) keyDER(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (i *identity) keyPEM(t *testing.T) []byte { return block("PRIVATE KEY", i.keyDER(t)) }

func block(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// file is the bundle of a server's certificate and what is above it: key, certificate, chain, root.
func file(t *testing.T, leaf *identity, above ...*identity) []byte {
	t.Helper()
	all := join(leaf.keyPEM(t), leaf.certPEM())
	for _, i := range above {
		all = join(all, i.certPEM())
	}
	return all
}

func (p pki) file(t *testing.T) []byte {
	t.Helper()
	return file(t, p.leaf, p.inter, p.root)
}

func weakKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
