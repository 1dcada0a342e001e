package path

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"signalbox/internal/agent/ladder"
)

// speaker serves TLS with a certificate and answers with what it is sent.
func speaker(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	return serve(t, func(conn net.Conn) {
		_, _ = io.Copy(conn, tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{ALPN, "http/1.1"}}))
	})
}

// state makes a connection by cfg.
func state(t *testing.T, address string, cfg *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", address, cfg)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.ConnectionState(), nil
}

// A server that is known by its key may have any certificate, and Verify says what is wrong with it as a handshake would.
func TestPinnedServersHaveAnyCertificate(t *testing.T) {
	ours, foreign := newAuthority(t, "Ours"), newAuthority(t, "Foreign")
	cfg, _, err := TLSConfig(testDomain, ours.File)
	must(t, err)
	for _, tt := range []struct {
		name string
		cert tls.Certificate
		code string
	}{
		{"right", ours.issue(testDomain, -time.Hour, time.Hour), ""},
		{"expired", ours.issue(testDomain, -2*time.Hour, -time.Hour), "cert_expired"},
		{"of another name", ours.issue("other.example", -time.Hour, time.Hour), "wrong_name"},
		{"of another authority", foreign.issue(testDomain, -time.Hour, time.Hour), "tls_intercepted"},
		{"self-signed", ours.selfSigned(testDomain), "self_signed"},
	} {
		address := speaker(t, tt.cert)
		seen, err := state(t, address, Pinned(cfg))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := code(Verify(seen, cfg)); got != tt.code {
			t.Errorf("%s: Verify() = %q, want %q", tt.name, got, tt.code)
		}
		if _, err := state(t, address, cfg); (err == nil) != (tt.code == "") {
			t.Errorf("%s: a handshake that verifies: %v", tt.name, err)
		}
	}
	if err := Verify(tls.ConnectionState{}, cfg); err == nil {
		t.Error("a connection without a certificate is right")
	}
}

// HTTP with a server that is known by its key takes the certificate of a connection on which the server has proven itself, and otherwise what is verified.
func TestCertificateThatWasProven(t *testing.T) {
	ours, foreign := newAuthority(t, "Ours"), newAuthority(t, "Foreign")
	f := finder(t, ours.File)
	f.TLS = Pinned(f.TLS)
	good, renewed, other := speaker(t, ours.issue(testDomain, -time.Hour, time.Hour)), speaker(t, foreign.issue(testDomain, -time.Hour, time.Hour)), speaker(t, foreign.issue(testDomain, -time.Hour, time.Hour))
	open := func(address string) error {
		conn, err := f.OpenHTTP(t.Context(), Route{Address: address, Direct: true}, nil)
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := open(good); err != nil {
		t.Errorf("a certificate that is right: %v", err)
	}
	if got := code(open(renewed)); got != ladder.Intercepted.Code {
		t.Errorf("a certificate of another authority: %q, want %s", got, ladder.Intercepted.Code)
	}
	seen, err := state(t, renewed, f.TLS)
	must(t, err)
	f.Prove(seen)
	f.Prove(tls.ConnectionState{})
	if err := open(renewed); err != nil {
		t.Errorf("a certificate that was proven: %v", err)
	}
	if got := code(open(other)); got != ladder.Intercepted.Code {
		t.Errorf("another certificate: %q, want %s", got, ladder.Intercepted.Code)
	}
}

// What a proof is bound to is of one connection, and both sides have the same.
func TestExporter(t *testing.T) {
	ours := newAuthority(t, "Ours")
	cfg, _, err := TLSConfig(testDomain, ours.File)
	must(t, err)
	address := speaker(t, ours.issue(testDomain, -time.Hour, time.Hour))
	var all []string
	for range 2 {
		seen, err := state(t, address, cfg)
		must(t, err)
		bound, err := Exporter(seen)
		must(t, err)
		all = append(all, string(bound))
	}
	if all[0] == all[1] || len(all[0]) != 32 {
		t.Errorf("two connections are bound to %x and %x", all[0], all[1])
	}
	old := cfg.Clone()
	old.MaxVersion = tls.VersionTLS12
	seen, err := state(t, address, old)
	must(t, err)
	if _, err := Exporter(seen); code(err) != ladder.Unproven.Code {
		t.Errorf("on TLS 1.2: %v, want %s", err, ladder.Unproven.Code)
	}
}
