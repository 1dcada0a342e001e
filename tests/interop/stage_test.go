package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/internal/config"
	"signalbox/tests/harness"
)

const (
	account  = "pc-1"
	resource = "interop"
	secret   = "s3cret-1"
)

// stage is a server with one client's account, and with the partner that the client talks to.
type stage struct {
	addrs     map[string]string // by transport
	ca        string            // file of the CA that signed the server's certificate
	foreignCA string            // file of a CA that has signed nothing of the server's
	cert, key string            // files of a client certificate for the account
	partner   *partner
	dir       string    // for what a client keeps between its runs
	once      sync.Once // for what a client does before its first
}

func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	s := &stage{dir: dir, cert: filepath.Join(dir, "client.crt"), key: filepath.Join(dir, "client.key"), foreignCA: filepath.Join(dir, "foreign.crt")}
	ca := s.issue(t)
	foreign, _, err := certs.MakeCA(certs.CAOptions{Names: []string{harness.Domain}})
	if err != nil {
		t.Fatal(err)
	}
	clientCA := filepath.Join(dir, "client-ca.crt")
	write(t, s.foreignCA, foreign)
	write(t, clientCA, ca)
	server := harness.Start(t, func(c *config.Config) { configure(c, clientCA) })
	server.Call(t, "POST", "/v1/endpoints", `{"id":"`+account+`","secret":"`+secret+`"}`, 201)
	server.Call(t, "POST", "/v1/endpoints", `{"id":"partner","secret":"`+secret+`"}`, 201)
	s.ca = server.CAFile
	s.addrs = map[string]string{"direct": server.Addr("tls"), "starttls": server.Addr("xmpp"), "websocket": server.Addr("tls")}
	s.partner = newPartner(t, server.Addr("tls"), server.TLS())
	return s
}

// issue writes a client certificate for the account, and returns the certificate of its CA.
func (s *stage) issue(t *testing.T) (ca []byte) {
	t.Helper()
	now := time.Now()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: account}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		ExtraExtensions: []pkix.Extension{xmppAddress(t, account+"@"+harness.Domain)},
	}
	rootKey, leafKey := newKey(t), newKey(t)
	rootDER := sign(t, root, root, rootKey, rootKey)
	write(t, s.cert, pemOf("CERTIFICATE", sign(t, leaf, root, leafKey, rootKey)))
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.key, pemOf("PRIVATE KEY", der))
	return pemOf("CERTIFICATE", rootDER)
}

// xmppAddress is a subject alternative name of the form id-on-xmppAddr (RFC 6120 section 13.7.1.4).
func xmppAddress(t *testing.T, jid string) pkix.Extension {
	t.Helper()
	type otherName struct {
		ID    asn1.ObjectIdentifier
		Value string `asn1:"explicit,tag:0,utf8"`
	}
	value, err := asn1.MarshalWithParams(otherName{ID: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 5}, Value: jid}, "tag:0")
	if err != nil {
		t.Fatal(err)
	}
	names, err := asn1.Marshal([]asn1.RawValue{{FullBytes: value}})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, c, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// environment tells a client's program its job.
func (s *stage) environment(t *testing.T, j job) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(s.addrs[j.transport])
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"TRANSPORT=" + j.transport, "MECHANISM=" + j.mechanism, "STEPS=" + strings.Join(j.steps, ","),
		"ADDRESS=" + host, "PORT=" + port, "URL=wss://localhost:" + port + "/xmpp-websocket", "CA=" + j.ca,
		"DOMAIN=" + harness.Domain, "JID=" + account + "@" + harness.Domain + "/" + resource, "SECRET=" + j.secret, "CERT=" + s.cert, "KEY=" + s.key,
		"PARTNER=" + s.partner.jid,
		"NODE_EXTRA_CA_CERTS=" + j.ca, "SSL_CERT_FILE=" + j.ca, "SSL_CERT_DIR=" + filepath.Dir(s.key) + "/none", // where a program takes its CAs from the environment
	}
}
