package api

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// serving runs the server on loopback until stop is called, which returns what Serve returned.
func serving(t *testing.T, s *Server) (addr string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.86.75.32:0") // no other test has that address: nobody else takes the port once it is closed
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(cancel)
	return l.Addr().String(), func() error { cancel(); return <-done }
}

// raw sends text on a new connection and returns all that comes back until the server closes it.
func raw(t *testing.T, addr, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && len(b) == 0 {
		t.Fatal(err)
	}
	return string(b)
}

func TestServe(t *testing.T) {
	w := newWorld(t, Default())
	addr, stop := serving(t, w.srv)
	for _, tt := range []struct{ name, send, want string }{
		{"HTTP/1.1", "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
		{"unknown path", "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "Content-Type: application/problem+json\r\n"},
		{"options of all", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "Allow: GET, HEAD, POST, PATCH, DELETE\r\n"},
		{"connect", "CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\nConnection: close\r\n\r\n", "application/problem+json"},
		{"absolute form", "GET http://x/livez?token=y HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", `"code":"token_in_query"`},
		{"large header", "GET /livez HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 404 "},
		{
			"half a body", "POST /v1/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + w.tokens["admin"] +
				"\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\nConnection: close\r\n\r\n" + strings.Repeat(" ", maxBodyBytes+1), `"code":"payload_too_large"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := raw(t, addr, tt.send); !strings.Contains(got, tt.want) {
				t.Errorf("answer %.300q, want one with %q", got, tt.want)
			}
		})
	}
	if err := stop(); err != nil {
		t.Errorf("Serve = %v", err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the listener is still open")
	}
}

// TestRequestsFinishAtTheEnd ends the server while a push is being committed.
func TestRequestsFinishAtTheEnd(t *testing.T) {
	w := pushWorld(t)
	w.store.hold, w.store.held = make(chan struct{}), make(chan struct{})
	addr, stop := serving(t, w.srv)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const body = `{"to":"pc-1","type":"a"}`
	r := request("POST", "http://"+addr+"/v1/pushes", w.tokens["push"], body)
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	<-w.store.held
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	waitRefused(t, addr)
	close(w.store.hold)
	answer, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		t.Errorf("status %d", answer.StatusCode)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// waitRefused waits until the server takes no new connections.
func waitRefused(t *testing.T, addr string) {
	t.Helper()
	for t.Context().Err() == nil {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		c.Close()
	}
}

func TestServeEndsWithItsListener(t *testing.T) {
	w := newWorld(t, Default())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.srv.Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve = %v, want net.ErrClosed", err)
	}
}

// certificate writes a self-signed pair and returns its serial number as the server will show it.
func certificate(t *testing.T, cfg TLS, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "api.test"}, DNSNames: []string{"api.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cfg.CertFile: {Type: "CERTIFICATE", Bytes: der}, cfg.KeyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{TLS: TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}}
	certificate(t, cfg.TLS, 1)
	w := newWorld(t, cfg)
	addr, stop := serving(t, w.srv)
	serial := func() string {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if p := c.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
			t.Errorf("protocol %q", p)
		}
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	if got := serial(); got != "1" {
		t.Errorf("serial number %s", got)
	}
	certificate(t, cfg.TLS, 2)
	if err := w.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != "2" {
		t.Errorf("serial number after Reload %s", got)
	}
	if err := os.WriteFile(cfg.TLS.CertFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.srv.Reload(); err == nil || serial() != "2" {
		t.Errorf("Reload of a broken file = %v", err)
	}
	if got := raw(t, addr, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"); strings.Contains(got, "200") {
		t.Errorf("plain HTTP is answered on a TLS port: %q", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []Config{{AllowFrom: []string{"nonsense"}}, {TLS: TLS{"/nowhere/cert.pem", "/nowhere/key.pem"}}} {
		if _, err := New(cfg, Deps{}, zap.NewNop(), prometheus.NewRegistry()); err == nil {
			t.Errorf("New(%+v) takes it", cfg)
		}
	}
	w := newWorld(t, Default())
	if _, err := New(Default(), w.srv.deps, zap.NewNop(), w.reg); err == nil {
		t.Error("New takes a registry that has its metrics")
	}
}

// TestServerLimits holds the limits that a test cannot wait for.
func TestServerLimits(t *testing.T) {
	w := newWorld(t, Default())
	srv := w.srv.httpServer(t.Context())
	if srv.ReadHeaderTimeout != 5*time.Second || srv.ReadTimeout != 30*time.Second || srv.IdleTimeout != 2*time.Minute || srv.WriteTimeout <= srv.ReadTimeout ||
		srv.MaxHeaderBytes != 16<<10 || srv.Protocols.HTTP2() || srv.Protocols.UnencryptedHTTP2() {
		t.Errorf("server %+v", srv)
	}
}
