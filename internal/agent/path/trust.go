package path

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"signalbox/internal/agent/ladder"
)

// Pinned returns cfg for a server that proves its identity inside the connection: any certificate will do for TLS, and who needs to know whether it is right asks Verify.
func Pinned(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	cfg.InsecureSkipVerify = true // the proof takes its place
	return cfg
}

var errNoCertificate = errors.New("no certificate was shown")

// Verify reports what is wrong with the certificate of a connection by cfg, as a handshake by cfg would that verifies it. Every error is a *ladder.Failure.
func Verify(state tls.ConnectionState, cfg *tls.Config) error {
	if err := verify(state, cfg, time.Now()); err != nil {
		return unsecured(&tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}, cfg, time.Now())
	}
	return nil
}

func verify(state tls.ConnectionState, cfg *tls.Config, now time.Time) error {
	if len(state.PeerCertificates) == 0 {
		return errNoCertificate
	}
	opts := x509.VerifyOptions{DNSName: cfg.ServerName, Roots: cfg.RootCAs, Intermediates: x509.NewCertPool(), CurrentTime: now}
	for _, c := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(opts)
	return err
}

// Prove notes the certificate of a connection on which the server has proven its identity: it is the server's own, whoever signed it.
func (f *Finder) Prove(state tls.ConnectionState) {
	if len(state.PeerCertificates) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.proven = sha256.Sum256(state.PeerCertificates[0].Raw)
}

// WebTLS returns the configuration of HTTP/1.1 with the server, which has no proof inside: its certificate must be right, or be the one of a connection on which the server has
// proven its identity.
func (f *Finder) WebTLS() *tls.Config { return f.believing(f.Domain, "http/1.1") }

// believing returns the configuration of a protocol without a proof inside, with the server or with what belongs to it under a name of its own.
func (f *Finder) believing(name, protocol string) *tls.Config {
	f.mu.Lock()
	proven := f.proven
	f.mu.Unlock()
	right := &tls.Config{ServerName: name, RootCAs: f.TLS.RootCAs}
	cfg := f.TLS.Clone()
	cfg.ServerName, cfg.NextProtos = name, []string{protocol}
	cfg.InsecureSkipVerify = true // VerifyConnection does it
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) > 0 && sha256.Sum256(state.PeerCertificates[0].Raw) == proven {
			return nil
		}
		if err := verify(state, right, time.Now()); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		return nil
	}
	return cfg
}

// exporterLabel and exporterBytes are those of RFC 9266 section 2.
const (
	exporterLabel = "EXPORTER-Channel-Binding"
	exporterBytes = 32
)

var errOldTLS = errors.New("the connection is of TLS 1.2, which binds nothing; the server speaks TLS 1.3")

// Exporter returns what a proof of identity on a connection is bound to. Every error is a *ladder.Failure.
func Exporter(state tls.ConnectionState) ([]byte, error) {
	if state.Version < tls.VersionTLS13 {
		return nil, ladder.New(ladder.Unproven, "", errOldTLS)
	}
	bound, err := state.ExportKeyingMaterial(exporterLabel, nil, exporterBytes)
	if err != nil {
		return nil, ladder.New(ladder.Unproven, "", err)
	}
	return bound, nil
}
