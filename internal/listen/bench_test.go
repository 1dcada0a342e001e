package listen

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"signalbox/internal/link"
)

// echo answers one byte and closes.
type echo struct{}

func (echo) ServeConn(_ context.Context, c net.Conn, _ link.Info) {
	defer c.Close()
	var b [1]byte
	if _, err := io.ReadFull(c, b[:]); err == nil {
		c.Write(b[:])
	}
}

// exchange makes one connection, handshake included, and waits for its answer.
func exchange(t testing.TB, addr string, cfg *tls.Config) {
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw, cfg)
	defer c.Close()
	writes(t, c, "<")
	var b [1]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkHandshake compares the way through the listener with a bare tls.Server; both include the client's work.
func BenchmarkHandshake(b *testing.B) {
	for name, alpn := range map[string][]string{"listen": {"xmpp-client"}, "listen without ALPN": nil} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, testConfig())
			w.server.Register(XMPP, echo{})
			w.start()
			cfg := w.clientTLS(alpn...)
			b.ReportAllocs()
			for b.Loop() {
				exchange(b, w.addr("tls"), cfg)
			}
		})
	}
	b.Run("bare", func(b *testing.B) {
		w := newWorld(b, testConfig())
		addr, stop := bareServer(b, w)
		defer stop()
		cfg := w.clientTLS("xmpp-client")
		b.ReportAllocs()
		for b.Loop() {
			exchange(b, addr, cfg)
		}
	})
}

// bareServer does what everybody does first: a goroutine per connection and crypto/tls.
func bareServer(t testing.TB, w *world) (addr string, stop func()) {
	t.Helper()
	cert, err := tls.X509KeyPair(w.bundle.pem, w.bundle.pem)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"xmpp-client"}, ClientAuth: tls.RequestClientCert}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go echo{}.ServeConn(context.Background(), tls.Server(c, cfg), link.Info{})
		}
	}()
	return ln.Addr().String(), func() {
		ln.Close()
		<-done
	}
}

// TestAllocations bounds what the listener adds to a handshake: what crypto/tls itself needs is measured beside it.
func TestAllocations(t *testing.T) {
	w := newWorld(t, testConfig())
	w.server.Register(XMPP, echo{})
	w.start()
	cfg := w.clientTLS("xmpp-client")
	ours := testing.AllocsPerRun(100, func() { exchange(t, w.addr("tls"), cfg) })
	addr, stop := bareServer(t, w)
	defer stop()
	bare := testing.AllocsPerRun(100, func() { exchange(t, addr, cfg) })
	t.Logf("%.0f allocations with the client, %.0f without the listener", ours, bare)
	if more := ours - bare; more > 20 {
		t.Errorf("the listener adds %.0f allocations to a handshake of %.0f, want at most 20", more, bare)
	}
}

// TestReplayAllocations: after the hand-over the wrappers cost nothing.
func TestReplayAllocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		c := &conn{Conn: server}
		defer c.Close()
		go io.Copy(client, client)
		b := make([]byte, 1)
		n := testing.AllocsPerRun(100, func() {
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(b); err != nil {
				t.Fatal(err)
			}
		})
		if n > 0 {
			t.Errorf("%v allocations per read and write, want none", n)
		}
	})
}
