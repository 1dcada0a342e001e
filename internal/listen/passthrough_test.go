package listen

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// backend is another host: it takes one connection at a time and gives it to the test.
func backend(t testing.TB) (addr string, got chan net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got = make(chan net.Conn, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			got <- c
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr().String(), got
}

func TestPassthrough(t *testing.T) {
	addr, got := backend(t)
	foreign := newBundle(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	cert, err := tls.X509KeyPair(foreign.pem, foreign.pem)
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.SNIPassthrough = map[string]string{"Other.Local": addr, "*.wild.local": addr}
	for name, passes := range map[string]bool{"other.local": true, "a.wild.local": true, "a.b.wild.local": false, "wild.local": false, testDomain: false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, cfg, XMPP).start()
			c := tls.Client(w.dial("tls"), &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}})
			defer c.Close()
			result := make(chan error, 1)
			go func() { result <- c.Handshake() }()
			if !passes {
				if err := <-result; (err == nil) != (name == testDomain) {
					t.Errorf("Handshake() = %v", err)
				}
				return
			}
			there := tls.Server(<-got, &tls.Config{Certificates: []tls.Certificate{cert}})
			defer there.Close()
			go func() { result <- there.Handshake() }()
			for range 2 {
				if err := <-result; err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(c.ConnectionState().PeerCertificates[0].Raw, foreign.leaf.Raw) {
				t.Error("the client sees another certificate than the other host's")
			}
			if busy, _ := w.server.queue.load(); busy != 0 {
				t.Error("a connection that is handed on takes a turn among the handshakes")
			}
			writes(t, c, "hello")
			reads(t, there, "hello")
			writes(t, there, "world")
			reads(t, c, "world")
		})
	}
}

// splitHello sends a hello in several records, as a client may (RFC 8446 section 5.1).
func splitHello(t testing.TB, name string, size int) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go tls.Client(client, &tls.Config{ServerName: name}).Handshake()
	b := make([]byte, maxRecord)
	n, err := server.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for rest := b[recordHeader:n]; len(rest) > 0; {
		part := rest[:min(size, len(rest))]
		out = append(append(out, b[0], b[1], b[2], byte(len(part)>>8), byte(len(part))), part...)
		rest = rest[len(part):]
	}
	return out
}

func TestPassthroughSplitHello(t *testing.T) {
	addr, got := backend(t)
	cfg := testConfig()
	cfg.SNIPassthrough = map[string]string{"other.local": addr}
	w := newWorld(t, cfg, XMPP).start()
	c := w.dial("tls")
	hello := splitHello(t, "other.local", 100)
	writes(t, c, string(hello))
	there := <-got
	defer there.Close()
	reads(t, there, string(hello)) // every byte, in the client's records
}

// TestPassthroughHalfClose ends one direction, then the other.
func TestPassthroughHalfClose(t *testing.T) {
	addr, got := backend(t)
	cfg := testConfig()
	cfg.SNIPassthrough = map[string]string{"other.local": addr}
	w := newWorld(t, cfg, XMPP).start()
	c := w.dial("tls")
	hello := splitHello(t, "other.local", 1<<14)
	writes(t, c, string(hello))
	there := <-got
	defer there.Close()
	reads(t, there, string(hello))
	c.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(there); err != nil || len(rest) > 0 {
		t.Fatalf("read %q, %v, want the end", rest, err)
	}
	writes(t, there, "answer after the end")
	reads(t, c, "answer after the end")
	there.Close()
	closes(t, c)
	w.until(func() bool { return w.counted(PassthroughDone) == 1 && w.server.places.taken.Load() == 0 })
	w.wantClosed(PassthroughDone)
}

func TestPassthroughRefused(t *testing.T) {
	cfg := testConfig()
	cfg.SNIPassthrough = map[string]string{"other.local": "127.0.0.1:1"} // where nobody listens
	w := newWorld(t, cfg, XMPP).start()
	c := w.dial("tls")
	writes(t, c, string(splitHello(t, "other.local", 1<<14)))
	closes(t, c)
	w.wantClosed(PassthroughDial)
}

// TestPassthroughStop ends the server while a connection is joined.
func TestPassthroughStop(t *testing.T) {
	addr, got := backend(t)
	cfg := testConfig()
	cfg.SNIPassthrough = map[string]string{"other.local": addr}
	w := newWorld(t, cfg, XMPP).start()
	c := w.dial("tls")
	writes(t, c, string(splitHello(t, "other.local", 1<<14)))
	there := <-got
	defer there.Close()
	w.stop()
	closes(t, there)
	w.wantClosed(Stopping)
}

// TestJointIdle has one direction that keeps the other one alive, then silence.
func TestJointIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, a := net.Pipe()
		b, host := net.Pipe()
		j := newJoint(time.Minute)
		for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
			go j.pump(pair[0], pair[1])
		}
		go io.Copy(io.Discard, host)
		start := time.Now()
		for range 10 {
			time.Sleep(50 * time.Second)
			writes(t, client, "x")
		}
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read() = %v, want the end", err)
		}
		if took := time.Since(start); took != 560*time.Second {
			t.Errorf("closed after %v, want a minute after the last byte", took)
		}
		if !j.timedOut.Load() {
			t.Error("the end is not marked as a time-out")
		}
	})
}

// FuzzPeekServerName: whatever comes, the bytes come again unchanged, and crypto/tls finds the same name in them. Run it with
// -fuzzminimizetime=1x: the coverage of crypto/tls varies, and minimising would take all the time.
func FuzzPeekServerName(f *testing.F) {
	f.Add(splitHello(f, "other.local", 1<<14))
	f.Add(splitHello(f, "other.local", 7))
	f.Add([]byte("\x16\x03\x01\xff\xff"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, says []byte) {
		c := &conn{Conn: &script{rest: says}}
		if err := awaitRecord(c); err != nil && len(says) >= recordSize(says) {
			t.Fatalf("awaitRecord() = %v although the record is there", err)
		}
		name := peekServerName(c)
		if len(c.ahead) > maxPeek {
			t.Fatalf("%d bytes are kept", len(c.ahead))
		}
		var again string
		tls.Server(c, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			again = h.ServerName
			return nil, errPeeked
		}}).Handshake()
		if name != again {
			t.Fatalf("peeked %q, then read %q", name, again)
		}
	})
}

// script is a connection that says something and ends.
type script struct {
	net.Conn
	rest []byte
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error)      { return len(b), nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
