package doctor

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// serve has each connection to a port of the namespace handled until the test ends.
func serve(t *testing.T, s *space, addr string, handle func(net.Conn)) {
	t.Helper()
	l := s.listen(t, addr)
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	var running sync.WaitGroup
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
		_ = l.Close()
		mu.Lock()
		for conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
}

// splice passes bytes on in both directions until one end closes, or nothing passes for idle; 0: for ever.
func splice(near io.ReadWriter, nearConn, far net.Conn, idle time.Duration) {
	defer far.Close()
	awake := func() {}
	if idle > 0 {
		cut := time.AfterFunc(idle, func() { _, _ = nearConn.Close(), far.Close() })
		defer cut.Stop()
		awake = func() { cut.Reset(idle) }
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(near, noting{far, awake})
		_ = nearConn.Close()
	}()
	_, _ = io.Copy(far, noting{near, awake})
	_ = far.Close()
	<-back
}

// noting tells of each read.
type noting struct {
	io.Reader
	note func()
}

func (n noting) Read(b []byte) (int, error) {
	c, err := n.Reader.Read(b)
	n.note()
	return c, err
}

// begun is a connection of which the first bytes were read.
type begun struct {
	net.Conn
	r *bufio.Reader
}

func (b begun) Read(p []byte) (int, error) { return b.r.Read(p) }

// recordHeader is that of a TLS record, in which the length is last (RFC 8446 section 5.1).
const recordHeader = 5

// offersHTTP reports whether the hello of a TLS client offers HTTP/1.1 by ALPN, as browsers and those do that ask for a WebSocket or the time. Nothing is taken from r.
func offersHTTP(r *bufio.Reader) bool {
	head, err := r.Peek(recordHeader)
	if err != nil {
		return false
	}
	hello, err := r.Peek(recordHeader + int(head[3])<<8 + int(head[4]))
	return err == nil && bytes.Contains(hello, []byte("\x08http/1.1"))
}

// front stands before the server: it ends the TLS of those that speak HTTP with the server's own certificate, and passes all others on as they are.
func front(t *testing.T, s *space, addr, server string, pair tls.Certificate, speak func(net.Conn, *http.Request)) {
	t.Helper()
	serve(t, s, addr, func(conn net.Conn) {
		near := begun{conn, bufio.NewReaderSize(conn, 32<<10)}
		if !offersHTTP(near.r) {
			if far, err := s.dial(server); err == nil {
				splice(near, conn, far, 0)
			}
			return
		}
		secured := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}})
		r, err := http.ReadRequest(bufio.NewReader(secured))
		if err == nil {
			speak(secured, r)
		}
	})
}

// withoutUpgrade passes a request on to the server as a proxy does that knows nothing of WebSockets.
func withoutUpgrade(s *space, server, name string) func(net.Conn, *http.Request) {
	return func(conn net.Conn, r *http.Request) {
		far, err := s.dial(server)
		if err != nil {
			return
		}
		defer far.Close()
		secured := tls.Client(far, &tls.Config{ServerName: name, NextProtos: []string{"http/1.1"}, InsecureSkipVerify: true})
		for _, h := range []string{"Upgrade", "Connection", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol"} {
			r.Header.Del(h)
		}
		r.Close = true
		if r.Write(secured) == nil {
			_, _ = io.Copy(conn, secured)
		}
	}
}

// anotherTime answers as a server does whose clock is off.
func anotherTime(off time.Duration) func(net.Conn, *http.Request) {
	return func(conn net.Conn, _ *http.Request) {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Length: 0\r\n\r\n", time.Now().Add(off).UTC().Format(http.TimeFormat))
	}
}

// showing answers TLS with a certificate, and says nothing then.
func showing(pair tls.Certificate) func(net.Conn) {
	return func(conn net.Conn) {
		secured := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}})
		if secured.Handshake() == nil {
			_, _ = io.Copy(io.Discard, secured)
		}
	}
}

// proxy is an HTTP proxy at port 3128 of its address that handles CONNECT in a way of its own.
func proxy(t *testing.T, s *space, handle func(net.Conn, *http.Request)) {
	t.Helper()
	serve(t, s, proxyAddr+":3128", func(conn net.Conn) {
		r := bufio.NewReader(conn)
		request, err := http.ReadRequest(r)
		if err == nil && request.Method == http.MethodConnect {
			handle(begun{conn, r}, request)
		}
	})
}

const proxyURL = "http://" + proxyAddr + ":3128"

// refusing answers each CONNECT with a status and headers.
func refusing(status int, headers ...string) func(net.Conn, *http.Request) {
	return func(conn net.Conn, _ *http.Request) {
		text := fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
		for _, h := range headers {
			text += h + "\r\n"
		}
		_, _ = io.WriteString(conn, text+"Content-Length: 0\r\n\r\n")
	}
}

const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// tunnelling opens tunnels to ports of the server, whose name the proxy knows by itself, and cuts those that are silent for idle; 0: none.
func tunnelling(s *space, idle time.Duration) func(net.Conn, *http.Request) {
	return func(conn net.Conn, r *http.Request) {
		_, port, _ := net.SplitHostPort(r.Host)
		far, err := s.dial(net.JoinHostPort(serverAddr, port))
		if err != nil {
			refusing(http.StatusBadGateway)(conn, r)
			return
		}
		if _, err := io.WriteString(conn, established); err != nil {
			_ = far.Close()
			return
		}
		splice(conn, conn, far, idle)
	}
}

// withPassword lets those through that know it, and asks the others.
func withPassword(user, password string, next func(net.Conn, *http.Request)) func(net.Conn, *http.Request) {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	return func(conn net.Conn, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != want {
			refusing(http.StatusProxyAuthRequired, `Proxy-Authenticate: Basic realm="test"`)(conn, r)
			return
		}
		next(conn, r)
	}
}

// intercepting ends TLS in the proxy, with a certificate, for HTTP alone if speak is set.
func intercepting(pair tls.Certificate, speak func(net.Conn, *http.Request)) func(net.Conn, *http.Request) {
	return func(conn net.Conn, _ *http.Request) {
		if _, err := io.WriteString(conn, established); err != nil {
			return
		}
		if speak == nil {
			showing(pair)(conn)
			return
		}
		secured := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}})
		r, err := http.ReadRequest(bufio.NewReader(secured))
		if err == nil {
			speak(secured, r)
		}
	}
}

// manager is a management server whose answers tests choose.
type manager struct {
	mu     sync.Mutex
	status int           // 0: it takes events
	off    time.Duration // of its clock
}

// serveManager runs it with a bundle.
func serveManager(t *testing.T, s *space, addr string, pair tls.Certificate) *manager {
	t.Helper()
	m := &manager{}
	l := s.listen(t, addr)
	srv := &http.Server{Handler: m, ReadHeaderTimeout: patience, ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan error, 1)
	go func() {
		ended <- srv.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}))
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return m
}

func (m *manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.Header().Set("Date", time.Now().Add(m.off).UTC().Format(http.TimeFormat))
	status := http.StatusNoContent
	if m.status != 0 {
		status = m.status
	}
	w.WriteHeader(status)
}

// answer has it answer otherwise until the test ends.
func (m *manager) answer(t *testing.T, status int, off time.Duration) {
	t.Helper()
	m.set(status, off)
	t.Cleanup(func() { m.set(0, 0) })
}

func (m *manager) set(status int, off time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status, m.off = status, off
}
