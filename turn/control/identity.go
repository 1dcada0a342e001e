package control

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// The names of what is spoken between two hosts (ALPN, RFC 7301).
const (
	alpnControl = "signalbox-turn-control"
	alpnStream  = "signalbox-turn-stream"
)

// refreshEvery is how old what was read of the files may be, so that renewed certificates need nobody.
const refreshEvery = time.Minute

// identity is the certificate of this end and the authority of the other's. It may be used concurrently.
type identity struct {
	files Remote

	mu   sync.Mutex
	read time.Time // when the files were
	cert *tls.Certificate
	pool *x509.CertPool
}

// newIdentity reads the files. The error begins with the key at fault.
func newIdentity(files Remote) (*identity, error) {
	i := &identity{files: files}
	return i, i.reload()
}

// reload reads the files again; on an error everything stays as it was.
func (i *identity) reload() error {
	cert, err := tls.LoadX509KeyPair(i.files.CertFile, i.files.KeyFile)
	if err != nil {
		return fmt.Errorf("control.cert_file: %w", err)
	}
	text, err := os.ReadFile(i.files.CAFile)
	if err != nil {
		return fmt.Errorf("control.ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("control.ca_file: %w", errors.New("has no certificate in PEM"))
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cert, i.pool, i.read = &cert, pool, time.Now()
	return nil
}

// current returns what there is, read again if it is old. What cannot be read is used as it was: the other end judges it.
func (i *identity) current() (*tls.Certificate, *x509.CertPool) {
	i.mu.Lock()
	old := time.Since(i.read) > refreshEvery
	if old {
		i.read = time.Now() // one of those who ask at a time reads
	}
	i.mu.Unlock()
	if old {
		_ = i.reload() // told by Client.Reload, and by the handshake
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.cert, i.pool
}

// client returns the configuration of a connection to host for what alpn names.
func (i *identity) client(host, alpn string) *tls.Config {
	cert, pool := i.current()
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: host, RootCAs: pool, NextProtos: []string{alpn},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil },
	}
}

// server returns the configuration of a listener.
func (i *identity) server() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		cert, pool := i.current()
		return &tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
			NextProtos: []string{alpnControl, alpnStream}, SessionTicketsDisabled: true, // a ticket would outlive the certificate
		}, nil
	}}
}
