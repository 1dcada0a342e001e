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
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox/internal/config"
	"signalbox/turn/control"
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

// ControlFiles makes one certificate, which is its own authority, for both ends of a control connection between this server and a TURN process on another host, which is
// at 127.0.0.1.
func (s *Server) ControlFiles() control.Remote {
	s.t.Helper()
	cert, key := s.certify(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Harness control"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, nil)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	s.must(err)
	dir := filepath.Dir(s.Config.DataDir)
	files := control.Remote{CertFile: filepath.Join(dir, "control.crt"), KeyFile: filepath.Join(dir, "control.key"), CAFile: filepath.Join(dir, "control.crt")}
	s.must(os.WriteFile(files.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600))
	s.must(os.WriteFile(files.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return files
}
