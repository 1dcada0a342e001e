package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coder "github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/link"
	"signalbox/xmpp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handed is a link.Handler that gives the connections to the test.
type handed chan net.Conn

func (h handed) ServeConn(_ context.Context, c net.Conn, _ link.Info) { h <- c }

// pipes is a listener for connections in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// world serves WebSockets in memory.
type world struct {
	t       *testing.T
	pipes   pipes
	handed  handed
	handler *Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, pipes: make(pipes), handed: make(handed, 1)}
	cfg := xmpp.Default()
	w.handler = New(cfg, "a.example", w.handed, zap.NewNop(), prometheus.NewRegistry())
	srv := &http.Server{Handler: w.handler, ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
		return link.NewContext(ctx, link.Info{TLS: link.TLS{Version: 0x304}})
	}}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(w.pipes) }()
	t.Cleanup(func() {
		close(w.pipes)
		<-served
		_ = srv.Close()
	})
	return w
}

// dial returns the client's WebSocket, its connection, and the server's end of it.
func (w *world) dial() (*coder.Conn, net.Conn, net.Conn) {
	w.t.Helper()
	client, server := net.Pipe()
	w.pipes <- server
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
	ws, _, err := coder.Dial(w.t.Context(), "ws://a.example"+Path, &coder.DialOptions{HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"xmpp"}})
	if err != nil {
		w.t.Fatal(err)
	}
	c := <-w.handed
	w.t.Cleanup(func() {
		_ = c.Close()
		_ = client.Close()
		_ = ws.CloseNow()
	})
	return ws, client, c
}

func (w *world) send(ws *coder.Conn, message string) {
	w.t.Helper()
	if err := ws.Write(w.t.Context(), coder.MessageText, []byte(message)); err != nil {
		w.t.Fatal(err)
	}
}

func reads(t *testing.T, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Fatalf("read %q, %v, want %q", b[:n], err, want)
	}
}

func TestConnReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ws, _, c := w.dial()
		large := "<a xmlns='u'>" + strings.Repeat("x", 10000) + "</a>"
		go func() {
			for _, m := range []string{openIn, large, "<b/>", "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"} {
				w.send(ws, m)
			}
		}()
		reads(t, c, streamIn+large+"<b xmlns=''/></stream:stream>")
	})
}

// TestConnBegins: the stream knows of a message as soon as it begins, and gets nothing but what all messages begin with.
func TestConnBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ws, _, c := w.dial()
		out, err := ws.Writer(t.Context(), coder.MessageText)
		if err != nil {
			t.Fatal(err)
		}
		say := func(text string) {
			if _, err := io.WriteString(out, text); err != nil {
				t.Error(err)
			}
		}
		go say(strings.Repeat("<a xmlns='u'>", 500))
		b := make([]byte, 10)
		if n, err := c.Read(b); string(b[:n]) != "<" {
			t.Fatalf("read %q, %v", b[:n], err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read %q, %v of half a message", b[:n], err)
		}
	})
}

func TestConnWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ws, _, c := w.dial()
		ws.SetReadLimit(1 << 20)
		large := "<message><body>" + strings.Repeat("x", 100<<10) + "</body></message>"
		stream := headerOut + "<r xmlns='urn:xmpp:sm:3'/>" + large + "</stream:stream>"
		go func() {
			for rest := stream; len(rest) > 0; {
				n := min(16<<10, len(rest))
				if _, err := io.WriteString(c, rest[:n]); err != nil {
					t.Error(err)
				}
				rest = rest[n:]
			}
		}()
		for _, want := range []string{said[0].message, "<r xmlns='urn:xmpp:sm:3'/>", strings.Replace(large, "<message>", "<message xmlns='jabber:client'>", 1), closing} {
			if _, got, err := ws.Read(t.Context()); err != nil || string(got) != want {
				t.Fatalf("got %.80s, %v, want %.80s", got, err, want)
			}
		}
	})
}

// TestConnDeadlines: those that a driver sets hold, and a client that reads slowly but steadily is not slow.
func TestConnDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, client, c := w.dial()
		start := time.Now()
		_ = c.SetReadDeadline(start.Add(time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Read() = %v after %v", err, time.Since(start))
		}
		gone := make(chan struct{})
		go func() { // 16 KiB each 15 seconds, until the connection is closed
			defer close(gone)
			b := make([]byte, 16<<10)
			for {
				time.Sleep(15 * time.Second)
				if _, err := io.ReadFull(client, b); err != nil {
					return
				}
			}
		}()
		_ = c.SetWriteDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(c, headerOut+"<a xmlns='u'>"+strings.Repeat("x", 64<<10-700)+"</a>"); err != nil {
			t.Errorf("to a steady reader: %v", err)
		}
		start = time.Now()
		_ = c.SetWriteDeadline(start.Add(2 * time.Second))
		if _, err := io.WriteString(c, "<a xmlns='u'>"+strings.Repeat("x", 64<<10)+"</a>"); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("Write() = %v after %v", err, time.Since(start))
		}
		_ = c.Close()
		<-gone
	})
}

// TestConnParts: each way in which the two ends part.
func TestConnParts(t *testing.T) {
	const clientClose = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
	finish := func(t *testing.T, c net.Conn, client *coder.Conn) { // as a driver does
		t.Helper()
		go func() {
			_, _ = io.WriteString(c, headerOut+"</stream:stream>")
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
			_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
			_, _ = io.Copy(io.Discard, struct{ io.Reader }{c})
			_ = c.Close()
		}()
		for range 2 {
			if _, _, err := client.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]func(*testing.T, *world, *coder.Conn, net.Conn) time.Duration{
		"the client says close, and so do we": func(t *testing.T, w *world, ws *coder.Conn, c net.Conn) time.Duration {
			var sending sync.WaitGroup
			sending.Go(func() {
				if err := ws.Write(t.Context(), coder.MessageText, []byte(clientClose)); err != nil {
					t.Error(err)
				}
			})
			defer sending.Wait()
			reads(t, c, "</stream:stream>")
			finish(t, c, ws)
			return 0
		},
		"we say close, and so does the client": func(t *testing.T, w *world, ws *coder.Conn, c net.Conn) time.Duration {
			finish(t, c, ws)
			w.send(ws, clientClose)
			return 0
		},
		"we say close, and the client sends something else first": func(t *testing.T, w *world, ws *coder.Conn, c net.Conn) time.Duration {
			finish(t, c, ws)
			w.send(ws, "<presence xmlns='jabber:client'/>")
			w.send(ws, clientClose)
			return 0
		},
		"we say close, and the client nothing": func(t *testing.T, _ *world, ws *coder.Conn, c net.Conn) time.Duration {
			finish(t, c, ws)
			return 2 * time.Second
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				ws, _, c := w.dial()
				wait := test(t, w, ws, c)
				start := time.Now()
				_, _, err := ws.Read(t.Context())
				if coder.CloseStatus(err) != coder.StatusNormalClosure || time.Since(start) != wait {
					t.Errorf("closed with %v after %v, want 1000 after %v", err, time.Since(start), wait)
				}
			})
		})
	}
}

func TestConnLost(t *testing.T) {
	for name, lose := range map[string]func(*coder.Conn, net.Conn){
		"a close frame":    func(ws *coder.Conn, _ net.Conn) { _ = ws.Close(coder.StatusGoingAway, "") },
		"the network":      func(_ *coder.Conn, client net.Conn) { _ = client.Close() },
		"within a message": func(ws *coder.Conn, client net.Conn) { half(ws); _ = client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				ws, client, c := w.dial()
				go lose(ws, client)
				got, err := io.ReadAll(c)
				if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || strings.TrimPrefix(string(got), "<") != "" {
					t.Errorf("read %q, %v", got, err)
				}
			})
		})
	}
}

// half sends the begin of a message and not its end.
func half(ws *coder.Conn) {
	out, err := ws.Writer(context.Background(), coder.MessageText)
	if err == nil {
		_, _ = io.WriteString(out, strings.Repeat("<a xmlns='u'>", 500))
	}
}

// TestIdleMemory bounds what a WebSocket needs beyond its connection while nothing happens: net/http alone would keep 8 KiB of buffers.
func TestIdleMemory(t *testing.T) {
	const n, most = 500, 3 << 10
	w := newWorld(t)
	var clients, servers, keep [n]net.Conn
	for i := range n {
		clients[i], servers[i] = net.Pipe()
	}
	before := heap()
	for i, client := range clients {
		w.pipes <- servers[i]
		go io.WriteString(client, "GET "+Path+" HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n")
		b := make([]byte, 1024)
		if _, err := client.Read(b); err != nil {
			t.Fatal(err)
		}
		keep[i] = <-w.handed
	}
	each := (int(heap()) - int(before)) / n
	t.Logf("%d bytes for each idle WebSocket", each)
	if each > most {
		t.Errorf("%d bytes for each idle WebSocket, want at most %d", each, most)
	}
	for _, c := range keep {
		_ = c.Close()
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
