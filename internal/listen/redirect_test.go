package listen

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestRedirect(t *testing.T) {
	tests := []struct {
		name, says string
		status     int
		location   string // PORT stands for the TLS port
	}{
		{"page", "GET /console/a%20b?x=1&y=%0d HTTP/1.1\r\nHost: xmpp.company.local\r\n\r\n", 308, "https://xmpp.company.local:PORT/console/a%20b?x=1&y=%0d"},
		{"port in the host", "HEAD / HTTP/1.1\r\nHost: xmpp.company.local:80\r\n\r\n", 308, "https://xmpp.company.local:PORT/"},
		{"body", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 308, "https://a:PORT/x"},
		{"IPv6", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", 308, "https://[2001:db8::1]:PORT/"},
		{"IPv6 without a port", "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", 308, "https://[2001:db8::1]:PORT/"},
		{"two slashes stay on the host", "GET //evil.example/x HTTP/1.1\r\nHost: a\r\n\r\n", 308, "https://a:PORT//evil.example/x"},
		{"no host", "GET / HTTP/1.0\r\n\r\n", 400, ""},
		{"strange host", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, ""},
		{"slash in the host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, ""},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
		{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400, ""},
	}
	cfg := testConfig()
	cfg.HTTP = []string{"127.0.0.1:0"}
	w := newWorld(t, cfg, HTTP).start()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := w.dial("http")
			writes(t, c, tt.says)
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(tt.location, "PORT", w.server.tlsPort())
			if got := res.Header.Get("Location"); res.StatusCode != tt.status || got != want {
				t.Errorf("answer %d %q, want %d %q", res.StatusCode, got, tt.status, want)
			}
			c.(*net.TCPConn).CloseWrite()
			closes(t, c)
		})
	}
	w.until(func() bool { return w.counted(Redirected) == len(tests) })
}

// TestRedirectGarbage must not be answered with anything.
func TestRedirectGarbage(t *testing.T) {
	cfg := testConfig()
	cfg.HTTP = []string{"127.0.0.1:0"}
	for name, says := range map[string]string{"TLS": "\x16\x03\x01\x00\x01\x00\r\n\r\n", "too long": "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", maxRequest) + "\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, cfg).start()
			c := w.dial("http")
			writes(t, c, says)
			if said := closes(t, c); len(said) > 0 {
				t.Errorf("answered %q", said)
			}
			w.wantClosed(UnknownProtocol)
		})
	}
}
