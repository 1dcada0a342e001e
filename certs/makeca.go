package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// CAOptions say what [MakeCA] makes. Names are required, the rest has defaults.
type CAOptions struct {
	// Name is the CA's common name; empty is "Signalbox Lab CA".
	Name string
	// Names are the leaf's host names and addresses, the first is its common name too.
	Names []string
	// Now is when validity begins (an hour earlier, for clocks that are behind); zero is the clock's time.
	Now time.Time
	// LeafValid is how long the leaf is valid; zero is 397 days, the longest that every client of today accepts.
	LeafValid time.Duration
}

const (
	caYears      = 10
	leafValid    = 397 * 24 * time.Hour
	clockSkew    = time.Hour
	serialBits   = 127
	labCAName    = "Signalbox Lab CA"
	maxNameBytes = 64 // of a common name, RFC 5280 appendix A.1
)

// MakeCA makes a private CA (ECDSA P-256, 10 years) and one server certificate by it, for labs. CaPEM is the root for
// the endpoints' trust stores; bundlePEM is the seed's bundle: key, certificate, root. The CA's key is thrown away, so
// nothing else can ever be signed with what the endpoints were made to trust.
func MakeCA(o CAOptions) (caPEM, bundlePEM []byte, err error) {
	if len(o.Names) == 0 {
		return nil, nil, errors.New("make CA: no names for the certificate")
	}
	o = o.withDefaults()
	ca, err := makeRoot(o)
	if err != nil {
		return nil, nil, fmt.Errorf("make CA: %w", err)
	}
	leaf, err := ca.issue(o)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leaf.key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	caPEM = encode("CERTIFICATE", ca.cert.Raw)
	bundlePEM = append(encode("PRIVATE KEY", keyDER), encode("CERTIFICATE", leaf.cert.Raw)...)
	return caPEM, append(bundlePEM, caPEM...), nil
}

func (o CAOptions) withDefaults() CAOptions {
	if o.Name == "" {
		o.Name = labCAName
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.LeafValid == 0 {
		o.LeafValid = leafValid
	}
	return o
}

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func makeRoot(o CAOptions) (*issued, error) {
	return certify(&x509.Certificate{
		Subject:               pkix.Name{CommonName: o.Name},
		NotBefore:             o.Now.Add(-clockSkew),
		NotAfter:              o.Now.AddDate(caYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}, nil)
}

func (ca *issued) issue(o CAOptions) (*issued, error) {
	tmpl := &x509.Certificate{
		NotBefore:             o.Now.Add(-clockSkew),
		NotAfter:              o.Now.Add(o.LeafValid),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if len(o.Names[0]) <= maxNameBytes {
		tmpl.Subject.CommonName = o.Names[0]
	}
	for _, n := range o.Names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, foldName(n))
		}
	}
	return certify(tmpl, ca)
}

// certify signs the template for a fresh key; without a parent by that key itself.
func certify(tmpl *x509.Certificate, parent *issued) (*issued, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if tmpl.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits)); err != nil {
		return nil, err
	}
	signer := &issued{cert: tmpl, key: key}
	if parent != nil {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, signer.cert, key.Public(), signer.key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &issued{cert: cert, key: key}, err
}

func encode(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}
