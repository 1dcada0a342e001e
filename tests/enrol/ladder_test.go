package enrol

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"signalbox/internal/agent"
	"signalbox/internal/agent/status"
	"signalbox/tests/harness"
)

// onlyHTTP is a firewall that closes every TLS connection of something else than HTTP: it looks at the protocols that a client offers. It counts what it closes.
func onlyHTTP(t *testing.T, s *harness.Server) (address string, closed *atomic.Int32) {
	t.Helper()
	closed = new(atomic.Int32)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, func(client net.Conn) {
		r := bufio.NewReaderSize(client, 16<<10)
		head, err := r.Peek(5)
		if err != nil {
			return
		}
		hello, err := r.Peek(5 + int(head[3])<<8 + int(head[4]))
		if err != nil {
			return
		}
		if bytes.Contains(hello, []byte("xmpp-client")) {
			closed.Add(1)
			return
		}
		join(t, s.Addr("tls"), client, r)
	})
	return l.Addr().String(), closed
}

// join carries a connection on to an address; what was read of it already comes from r.
func join(t *testing.T, address string, client net.Conn, r io.Reader) {
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, r)
		server.Close()
	})
	_, _ = io.Copy(client, server)
	client.Close()
	both.Wait()
}

// Where nothing but HTTP passes, the agent comes by WebSocket, and tries that first the next time in the same network.
func TestWebSocketWhereOnlyHTTPPasses(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t)
			cfg := kind.config(t, s)
			address, closed := onlyHTTP(t, s)
			cfg.Addresses = []string{address}
			stop := run(t, cfg)
			st := await(t, cfg, "online by WebSocket", func(s status.Status) bool { return online(s) && s.Through.WebSocket })
			if !st.Through.Proven {
				t.Errorf("the session is through %+v, want the server proven", st.Through)
			}
			if p := s.AwaitPresence(t, "pc-1", "online"); !strings.Contains(p, `"via":"websocket"`) {
				t.Errorf("presence = %s, want via websocket", p)
			}
			id := s.Submit(t, `{"to":"pc-1","type":"agent.ping","ack":"handled","payload":{"text":"ünïcode <&>"}}`)
			s.AwaitPush(t, id, "handled")
			stop()
			s.AwaitPresence(t, "pc-1", "offline")
			before := closed.Load()
			run(t, cfg)
			await(t, cfg, "online again", online)
			if closed.Load() != before {
				t.Error("the agent tried first what does not work in this network")
			}
		})
	}
}

// The same through a proxy that asks for a password.
func TestWebSocketThroughAProxy(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	cfg := pc1(t, s)
	firewall, _ := onlyHTTP(t, s)
	address := passwordProxy(t, firewall)
	cfg.Addresses, cfg.Proxy, cfg.ProxyFallback = []string{"signalbox.invalid:443"}, "http://agent:pass%20word@"+address, false
	run(t, cfg)
	st := await(t, cfg, "online by WebSocket", func(s status.Status) bool { return online(s) && s.Through.WebSocket })
	if st.Through.Via != "http://"+address || !st.Through.Proven {
		t.Errorf("the session is through %+v", st.Through)
	}
}

func proxyAuth(r *http.Request) (user, password string, ok bool) {
	r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
	return r.BasicAuth()
}

// Through an inspection that passes HTTP alone, where policy allows that, the agent comes by WebSocket.
func TestWebSocketThroughAnInspection(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	cfg := pc1(t, s)
	m := inspect(t, s, nil, "http/1.1")
	cfg.Addresses, cfg.CAFile, cfg.Interception = []string{m.address}, m.caFile, agent.InterceptionAllow
	run(t, cfg)
	st := await(t, cfg, "online by WebSocket", func(s status.Status) bool { return online(s) && s.Through.WebSocket })
	if !st.Through.Intercepted {
		t.Errorf("the session is through %+v, want it intercepted", st.Through)
	}
}

// A machine behind a proxy that asks for a password enrols through it, and its agent comes the same way.
func TestEnrolmentThroughAProxy(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	address := passwordProxy(t, s.Addr("tls"))
	text, _ := token(t, s, `{"endpoint":"pc-1"}`)
	o := options(t, s, text)
	o.Server, o.Proxy, o.PasswordFile = "127.0.0.1:1", "http://agent@"+address, filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(o.PasswordFile, []byte("pass word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := enrolled(t, o)
	if cfg.Proxy != o.Proxy || cfg.ProxyPasswordFile != o.PasswordFile {
		t.Errorf("the agent's proxy is %s with %s", cfg.Proxy, cfg.ProxyPasswordFile)
	}
	run(t, cfg)
	if st := await(t, cfg, "online", online); st.Through.Via != "http://"+address || !st.Through.Proven {
		t.Errorf("the session is through %+v", st.Through)
	}
}

// passwordProxy is a proxy whose tunnels all lead to one address, for the user agent with the password "pass word".
func passwordProxy(t *testing.T, to string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, func(client net.Conn) {
		r := bufio.NewReader(client)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if user, password, ok := proxyAuth(req); !ok || user != "agent" || password != "pass word" {
			_, _ = io.WriteString(client, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n")
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		join(t, to, client, r)
	})
	return l.Addr().String()
}
