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
	"testing"
	"time"

	"signalbox/certs"
)

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate for a name, by itself if there is no parent.
func issue(t *testing.T, name string, ca bool, parent *issued) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
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
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &issued{cert, key}
}

// pemOf is the certificates one after the other.
func pemOf(all ...*issued) (text []byte) {
	for _, c := range all {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})...)
	}
	return text
}

// keyOf is the key in PEM.
func keyOf(t *testing.T, c *issued) []byte {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
}

// bundle makes an authority and a server's bundle by it.
func bundle(t *testing.T, o certs.CAOptions) (ca, text []byte) {
	t.Helper()
	ca, text, err := certs.MakeCA(o)
	must(t, err)
	return ca, text
}

// pairOf is a bundle as servers have it.
func pairOf(t *testing.T, bundle []byte) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(bundle, bundle)
	must(t, err)
	return pair
}
