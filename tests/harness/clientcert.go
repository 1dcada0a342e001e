package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox/internal/config"
)

// clientCA signs the certificates of endpoints.
type clientCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// clientCAFile is where the authority of clients lies, of a server with this configuration.
func clientCAFile(c *config.Config) string {
	return filepath.Join(filepath.Dir(c.DataDir), "clients.pem")
}

// makeClientCA makes an authority of client certificates and writes its file, which is in force if the configuration names it.
func (s *Server) makeClientCA() {
	s.t.Helper()
	s.clients.cert, s.clients.key = s.certify(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Harness clients"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	s.must(os.WriteFile(clientCAFile(&s.Config), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.clients.cert.Raw}), 0o644))
}

// ClientCertificate makes a certificate for these addresses of XMPP, comma separated, by the authority of clients.
func (s *Server) ClientCertificate(addresses string) tls.Certificate {
	s.t.Helper()
	leaf := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, a := range strings.Split(addresses, ",") {
		leaf.URIs = append(leaf.URIs, &url.URL{Scheme: "xmpp", Opaque: a})
	}
	cert, key := s.certify(leaf, &s.clients)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// certify signs the template for a fresh key; without an authority by that key itself.
func (s *Server) certify(tmpl *x509.Certificate, by *clientCA) (*x509.Certificate, *ecdsa.PrivateKey) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	tmpl.SerialNumber, tmpl.NotBefore, tmpl.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if by == nil {
		by = &clientCA{cert: tmpl, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, by.cert, key.Public(), by.key)
	s.must(err)
	cert, err := x509.ParseCertificate(der)
	s.must(err)
	return cert, key
}

// ClientTLS returns the client configuration of an endpoint that shows such a certificate; without addresses it shows none.
func (s *Server) ClientTLS(addresses string) *tls.Config {
	s.t.Helper()
	cfg := s.TLS()
	if addresses != "" {
		cfg.Certificates = []tls.Certificate{s.ClientCertificate(addresses)}
	}
	return cfg
}
