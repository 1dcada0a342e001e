package enrol

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"signalbox/certs"
	"signalbox/tests/harness"
)

// middle is somebody on the way who ends TLS with a certificate of an authority of his own, and goes on to the server with TLS of his own.
type middle struct {
	address string
	caFile  string                         // of his authority
	change  func(fromServer []byte) []byte // what he makes of the server's bytes

	mu    sync.Mutex
	heard bytes.Buffer // what the server said
}

// inspect puts somebody on the way to the server of s, who speaks these protocols (ALPN); none: those of streams and of HTTP.
func inspect(t *testing.T, s *harness.Server, change func([]byte) []byte, protocols ...string) *middle {
	t.Helper()
	ca, bundle, err := certs.MakeCA(certs.CAOptions{Name: "Inspection CA", Names: []string{harness.Domain, "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	m := &middle{caFile: filepath.Join(t.TempDir(), "inspection.crt"), change: change}
	if err := os.WriteFile(m.caFile, ca, 0o644); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(bundle, bundle)
	if err != nil {
		t.Fatal(err)
	}
	if len(protocols) == 0 {
		protocols = []string{"xmpp-client", "http/1.1"}
	}
	serving := &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: protocols}
	l, err := tls.Listen("tcp", "127.0.0.1:0", serving)
	if err != nil {
		t.Fatal(err)
	}
	m.address = l.Addr().String()
	serve(t, l, func(conn net.Conn) { m.carry(t, s, conn.(*tls.Conn)) })
	return m
}

// serve handles the connections of a listener until the test ends.
func serve(t *testing.T, l net.Listener, handle func(net.Conn)) {
	t.Helper()
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			running.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
}

// carry joins a client's connection with one of his own to the server.
func (m *middle) carry(t *testing.T, s *harness.Server, client *tls.Conn) {
	if client.HandshakeContext(t.Context()) != nil {
		return
	}
	cfg := &tls.Config{ServerName: harness.Domain, InsecureSkipVerify: true, NextProtos: []string{client.ConnectionState().NegotiatedProtocol}}
	server, err := tls.Dial("tcp", s.Addr("tls"), cfg)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.CloseWrite()
	})
	b := make([]byte, 32<<10)
	for {
		n, err := server.Read(b)
		if n > 0 {
			piece := bytes.Clone(b[:n])
			m.mu.Lock()
			m.heard.Write(piece)
			m.mu.Unlock()
			if m.change != nil {
				piece = m.change(piece)
			}
			if _, err := client.Write(piece); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	client.Close()
	both.Wait()
}

// said returns what the server has said through him.
func (m *middle) said() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard.String()
}
