package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/tests/harness"
)

// secrets are the Secrets of README.md, mounted as the kubelet does it.
type secrets struct {
	certificates, api, turn string // folders

	roots *x509.CertPool // of both bundles
	next  []byte         // another bundle
}

func makeSecrets(t *testing.T, dir string) secrets {
	t.Helper()
	s := secrets{certificates: filepath.Join(dir, "certs"), api: filepath.Join(dir, "api"), turn: filepath.Join(dir, "turn"), roots: x509.NewCertPool()}
	var bundles [2][]byte
	for i := range bundles {
		ca, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{harness.Domain}})
		must(t, err)
		s.roots.AppendCertsFromPEM(ca)
		bundles[i] = bundle
	}
	s.next = bundles[1]
	mount(t, s.certificates, map[string][]byte{"example.com.pem": bundles[0]})
	mount(t, s.api, map[string][]byte{"tls.crt": bundles[0], "tls.key": bundles[0]})
	mount(t, s.turn, controlSecret(t))
	return s
}

// mount writes a Secret as the kubelet does: the files are links into a folder that is replaced as a whole.
func mount(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	version := filepath.Join(dir, fmt.Sprintf("..%d", time.Now().UnixNano()))
	must(t, os.MkdirAll(version, 0o755))
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(version, name), text, 0o440))
		if link := filepath.Join(dir, name); !isThere(link) {
			must(t, os.Symlink(filepath.Join("..data", name), link))
		}
	}
	data := filepath.Join(dir, "..data")
	old, _ := os.Readlink(data)
	must(t, os.Symlink(filepath.Base(version), data+"_tmp"))
	must(t, os.Rename(data+"_tmp", data))
	if old != "" {
		must(t, os.RemoveAll(filepath.Join(dir, old)))
	}
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// renew puts the other bundle in place of the first.
func (s secrets) renew(t *testing.T) {
	t.Helper()
	mount(t, s.certificates, map[string][]byte{"example.com.pem": s.next})
}

// control returns the settings that lead to the mounted Secret of the control connection.
func (s secrets) control() []string {
	at := func(key, name string) string { return "turn.control." + key + "=" + filepath.Join(s.turn, name) }
	return []string{at("cert_file", "tls.crt"), at("key_file", "tls.key"), at("ca_file", "ca.crt")}
}

// controlSecret makes an authority and a certificate for both ends of the control connection.
func controlSecret(t *testing.T) map[string][]byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "control"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "signalbox"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	must(t, err)
	cert, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return map[string][]byte{
		"ca.crt":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}),
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
}
