package listen

import (
	"crypto/tls"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestDeadlines has clients that stop at every place on the way, or go on as slowly as they can.
func TestDeadlines(t *testing.T) {
	hello := string(clientHello(t))
	cfg := Default()
	tests := []struct {
		name     string
		listener string
		proxied  bool
		client   func(t *testing.T, w *world, c net.Conn)
		after    time.Duration
		want     Reason
	}{
		{"silent", "tls", false, sends(""), cfg.FirstByteTimeout, NoFirstByte},
		{"silent proxy", "tls", true, sends(""), cfg.FirstByteTimeout, NoFirstByte},
		{"part of a PROXY header", "tls", true, sends("\r\n\r\n\x00\r\nQUIT\n\x21"), cfg.FirstByteTimeout, ProxyBad},
		{"silent after the PROXY header", "tls", true, sends("PROXY UNKNOWN\r\n"), cfg.FirstByteTimeout, NoFirstByte},
		{"silent on plain HTTP", "http", false, sends(""), cfg.FirstByteTimeout, NoFirstByte},
		{"part of a request", "http", false, sends("GET / HTTP/1.1\r\n"), cfg.FirstByteTimeout, NoFirstByte},
		{"first byte only", "tls", false, sends(hello[:1]), cfg.HandshakeTimeout, HandshakeTimeout},
		{"part of the hello", "tls", false, sends(hello[:100]), cfg.HandshakeTimeout, HandshakeTimeout},
		{"hello byte by byte", "tls", false, dribbles(hello), cfg.HandshakeTimeout, HandshakeTimeout},
		{"hello and nothing more", "tls", false, sends(hello), cfg.HandshakeTimeout, HandshakeTimeout},
		{"silent after the handshake", "tls", false, secures, cfg.FirstByteTimeout, NoFirstByte},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig()
				if tt.proxied {
					cfg.TrustedProxies = []string{"192.0.2.9"}
				}
				w := newWorld(t, cfg, Protocols()...)
				ln := w.pipes(tt.listener)
				start := time.Now()
				c := dialPipe(t, ln)
				tt.client(t, w, c)
				io.Copy(io.Discard, c)
				if took := time.Since(start); took < tt.after || took > tt.after+time.Second {
					t.Errorf("closed after %v, want %v", took, tt.after)
				}
				w.wantClosed(tt.want)
				w.stop()
			})
		})
	}
}

func sends(what string) func(*testing.T, *world, net.Conn) {
	return func(t *testing.T, _ *world, c net.Conn) { writes(t, c, what) }
}

// dribbles sends a byte in every 50 ms, as long as the other side takes it.
func dribbles(what string) func(*testing.T, *world, net.Conn) {
	return func(t *testing.T, _ *world, c net.Conn) {
		for i := range len(what) {
			if _, err := io.WriteString(c, what[i:i+1]); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Error("the whole hello was taken")
	}
}

func secures(t *testing.T, w *world, c net.Conn) {
	if err := tls.Client(c, w.clientTLS()).Handshake(); err != nil {
		t.Fatal(err)
	}
}

// clientHello returns the first flight of a client.
func clientHello(t testing.TB) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go tls.Client(client, &tls.Config{ServerName: testDomain}).Handshake()
	b := make([]byte, maxRecord)
	n, err := server.Read(b)
	if err != nil || n != recordSize(b[:n]) {
		t.Fatalf("read the hello: %d bytes, %v", n, err)
	}
	return b[:n]
}

// TestEndOfContext ends the server while connections are at every place before the hand-over.
func TestEndOfContext(t *testing.T) {
	hello := string(clientHello(t))
	for name, says := range map[string]string{"silent": "", "part of the hello": hello[:50], "in the handshake": hello} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, testConfig(), XMPP)
				c := dialPipe(t, w.pipes("tls"))
				writes(t, c, says)
				synctest.Wait()
				start := time.Now()
				w.stop()
				if took := time.Since(start); took > 0 {
					t.Errorf("Run() ended after %v, want at once", took)
				}
				w.wantClosed(Stopping)
			})
		})
	}
}

// TestEndOfContextInQueue ends the server while a connection waits for its turn.
func TestEndOfContextInQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.MaxHandshakes = 1
		w := newWorld(t, cfg, XMPP)
		w.server.queue.tryEnter()
		writes(t, dialPipe(t, w.pipes("tls")), string(clientHello(t)))
		synctest.Wait()
		w.stop()
		w.wantClosed(Stopping)
	})
}

// TestQueueTimeout has a connection whose turn does not come.
func TestQueueTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.MaxHandshakes, cfg.HandshakeQueue = 1, 1
		w := newWorld(t, cfg, XMPP)
		w.server.queue.tryEnter()
		ln := w.pipes("tls")
		hello := string(clientHello(t))
		start := time.Now()
		first := dialPipe(t, ln)
		writes(t, first, hello)
		synctest.Wait()
		second := dialPipe(t, ln)
		writes(t, second, hello)
		closes(t, second)
		w.wantClosed(QueueFull)
		if took := time.Since(start); took > 0 {
			t.Errorf("the full queue refused after %v, want at once", took)
		}
		closes(t, first)
		if took := time.Since(start); took != cfg.QueueTimeout {
			t.Errorf("the queue refused after %v, want %v", took, cfg.QueueTimeout)
		}
		if n := w.counted(QueueTimeout); n != 1 {
			t.Errorf("closed_total{reason=%q} = %d, want 1", QueueTimeout, n)
		}
		w.stop()
	})
}

// TestAcceptErrors has a system without descriptors for ten minutes.
func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.ErrorLevel)
		w := newWorld(t, testConfig(), STARTTLS)
		w.server.log = zap.New(core)
		ln := w.pipes("xmpp")
		start, tries := time.Now(), 0
		for time.Since(start) < 10*time.Minute {
			ln.results <- syscall.EMFILE
			tries++
		}
		if tries < 300 || tries > 700 {
			t.Errorf("%d accepts in ten minutes, want about one in a second", tries)
		}
		if got := int(testutil.ToFloat64(w.server.metrics.acceptErr.WithLabelValues(errFiles))); got != tries {
			t.Errorf("accept_errors_total{kind=files} = %d, want %d", got, tries)
		}
		if n := logs.Len(); n < 9 || n > 11 {
			t.Errorf("%d log lines in ten minutes, want one per minute", n)
		}
		ln.results <- syscall.ENOBUFS
		ln.results <- syscall.ECONNABORTED
		ln.results <- syscall.EPERM
		writes(t, dialPipe(t, ln), "<")
		w.next()
		start = time.Now()
		ln.results <- syscall.ENFILE
		ln.results <- syscall.ENFILE // is taken after a short rest again
		if took := time.Since(start); took != acceptRestMin {
			t.Errorf("rest after a success = %v, want %v", took, acceptRestMin)
		}
		w.stop()
	})
}

// TestStopDuringRest ends the server while an accept loop rests.
func TestStopDuringRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, testConfig())
		ln := w.pipes("xmpp")
		for range 20 {
			ln.results <- syscall.EMFILE
		}
		start := time.Now()
		w.stop()
		if took := time.Since(start); took > 0 {
			t.Errorf("Run() ended after %v, want at once", took)
		}
	})
}
