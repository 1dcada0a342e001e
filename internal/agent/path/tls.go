package path

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"signalbox/internal/agent/ladder"
)

// TLSConfig verifies the server by the domain of the JID, whatever host the address names (RFC 7590, XEP-0368), and returns beside it what proxies are verified by: the
// authorities in caFile and the system's.
func TLSConfig(domain, caFile string) (server *tls.Config, proxies *x509.CertPool, err error) {
	server = &tls.Config{ServerName: domain, MinVersion: tls.VersionTLS12, NextProtos: []string{ALPN}}
	if caFile == "" {
		return server, nil, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, nil, fmt.Errorf("ca_file: %w", err)
	}
	server.RootCAs = x509.NewCertPool()
	if !server.RootCAs.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("ca_file: %s holds no PEM certificate", caFile)
	}
	if proxies, err = x509.SystemCertPool(); err != nil {
		proxies = x509.NewCertPool() // a system without a store
	}
	proxies.AppendCertsFromPEM(pem)
	return server, proxies, nil
}

// Handshake makes TLS with the server. It closes conn if that fails; every error is a *ladder.Failure.
func Handshake(ctx context.Context, conn net.Conn, cfg *tls.Config) (*tls.Conn, error) {
	secured := tls.Client(conn, cfg)
	if err := Secure(ctx, secured, cfg); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// Secure makes the handshake of conn, a client's with this configuration. Every error is a *ladder.Failure.
func Secure(ctx context.Context, conn *tls.Conn, cfg *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, tlsTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return unsecured(err, cfg, time.Now())
	}
	return nil
}

// Alerts of RFC 8446 section 6.2 that tell more than that there was one. crypto/tls has no exported type for those that the other side sends.
const (
	alertVersion      = tls.AlertError(70)
	alertUnrecognized = tls.AlertError(112)
	alertNoALPN       = tls.AlertError(120)
)

// unsecured says why a handshake failed.
func unsecured(err error, cfg *tls.Config, now time.Time) *ladder.Failure {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var remote *net.OpError
	switch {
	case errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0:
		return unverified(verification, cfg, now)
	case errors.As(err, &record):
		return ladder.New(ladder.NotTLS, "", err)
	case errors.As(err, &remote) && remote.Op == "remote error":
		return alerted(remote.Err.Error(), err, cfg)
	case strings.Contains(err.Error(), "unsupported protocol version"): // crypto/tls has no type for a server that chose an old one
		return ladder.New(ladder.TLSTooOld, "", err)
	case strings.Contains(err.Error(), "ALPN"):
		return ladder.New(ladder.NoALPN, "", err)
	case isClosed(err):
		return ladder.New(ladder.TLSClosed, "", err)
	case isTimeout(err):
		return ladder.New(ladder.TLSSilent, "", err)
	}
	return ladder.New(ladder.TLSRefused, "", err)
}

// alerted says why the server ended the handshake.
func alerted(alert string, err error, cfg *tls.Config) *ladder.Failure {
	switch alert {
	case alertVersion.Error():
		return ladder.New(ladder.TLSTooOld, "", err)
	case alertNoALPN.Error():
		return ladder.New(ladder.NoALPN, "", err)
	case alertUnrecognized.Error():
		return ladder.New(ladder.NoCertificate, cfg.ServerName, err)
	}
	return ladder.New(ladder.TLSRefused, "", err)
}

// unverified says what is wrong with the certificate that was shown.
func unverified(v *tls.CertificateVerificationError, cfg *tls.Config, now time.Time) *ladder.Failure {
	leaf := v.UnverifiedCertificates[0]
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(v.Err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && now.Before(invalid.Cert.NotBefore):
		return ladder.New(ladder.CertNotYetValid, fmt.Sprintf("%s is valid from %s, and it is %s here", subject(invalid.Cert), at(invalid.Cert.NotBefore), at(now)), v.Err)
	case errors.As(v.Err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return ladder.New(ladder.CertExpired, fmt.Sprintf("%s was valid until %s, and it is %s here", subject(invalid.Cert), at(invalid.Cert.NotAfter), at(now)), v.Err)
	case errors.As(v.Err, &name):
		return ladder.New(ladder.WrongName, fmt.Sprintf("%s is for %s, not for %s; its issuer is %s", subject(leaf), namesOf(leaf), cfg.ServerName, issuer(leaf)), v.Err)
	case errors.As(v.Err, &unknown):
		return untrusted(v.UnverifiedCertificates, cfg, v.Err)
	}
	return ladder.New(ladder.CertBad, subject(leaf), v.Err)
}

// untrusted tells a foreign issuer from one that is only missing here. Where ca_file names the authorities, another issuer than those is something on the way, or a
// change that the agent was not told of; among the system's authorities only the name of a product tells.
func untrusted(shown []*x509.Certificate, cfg *tls.Config, err error) *ladder.Failure {
	leaf, top := shown[0], shown[len(shown)-1]
	detail := fmt.Sprintf("issuer %s, SHA-256 of the certificate %s", issuer(top), fingerprint(leaf))
	product := productOf(shown)
	switch {
	case product != "":
		return ladder.New(ladder.Intercepted, detail+", which is the name that "+product+" gives its authority", err)
	case bytes.Equal(leaf.RawIssuer, leaf.RawSubject):
		return ladder.New(ladder.SelfSigned, fmt.Sprintf("%s, SHA-256 %s", subject(leaf), fingerprint(leaf)), err)
	case cfg.RootCAs == nil:
		return ladder.New(ladder.UnknownCA, detail, err)
	case named(cfg.RootCAs, top.RawIssuer) || named(cfg.RootCAs, leaf.RawIssuer):
		return ladder.New(ladder.UnknownCA, detail+"; ca_file has an authority of that name, with another key", err)
	}
	return ladder.New(ladder.Intercepted, detail, err)
}

// named reports whether the pool has an authority of this name.
func named(pool *x509.CertPool, name []byte) bool {
	//lint:ignore SA1019 a pool that is made of ca_file alone has all its subjects
	for _, have := range pool.Subjects() {
		if bytes.Equal(have, name) {
			return true
		}
	}
	return false
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func subject(c *x509.Certificate) string { return quoted(c.Subject.String()) }
func issuer(c *x509.Certificate) string  { return quoted(c.Issuer.String()) }
func quoted(name string) string          { return `"` + clip(name, 100) + `"` }
func at(t time.Time) string              { return t.UTC().Format("2006-01-02 15:04 UTC") }

// namesOf returns some of the names that a certificate is for.
func namesOf(c *x509.Certificate) string {
	names := c.DNSNames
	if len(names) == 0 {
		return "no name"
	}
	return clip(strings.Join(names[:min(len(names), 4)], ", "), 100)
}

// clip bounds what is shown of a name that a stranger chose.
func clip(text string, most int) string {
	text = ladder.Clean(text)
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}
