package path

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpproxy"

	"signalbox/internal/agent/ladder"
)

// connectProxy is an HTTP proxy that asks judge for its answer to a CONNECT, and joins the two sides where that is empty.
func connectProxy(judge func(r *http.Request) string) func(net.Conn) {
	return func(conn net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil || r.Method != http.MethodConnect {
			return
		}
		if refusal := judge(r); refusal != "" {
			_, _ = io.WriteString(conn, refusal)
			return
		}
		onward, err := net.Dial("tcp", r.Host)
		if err != nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
			return
		}
		defer onward.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
		go func() { _, _ = io.Copy(onward, conn); onward.Close() }()
		_, _ = io.Copy(conn, onward)
	}
}

// intercepting is a proxy that ends the server's TLS itself.
func intercepting(cert tls.Certificate) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
			_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake() // the agent refuses
		}
	}
}

func always(status, header string) func(*http.Request) string {
	return func(*http.Request) string {
		return "HTTP/1.1 " + status + "\r\n" + header + "Content-Length: 0\r\n\r\n"
	}
}

// login takes the user and the password that it names, and everybody without.
func wantLogin(user, password string) func(*http.Request) string {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	return func(r *http.Request) string {
		if r.Header.Get("Proxy-Authorization") == want {
			return ""
		}
		return "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"corp\"\r\nProxy-Authenticate: NTLM\r\n\r\n"
	}
}

func TestProxyFailures(t *testing.T) {
	ours := newAuthority(t, "Ours")
	year := 365 * 24 * time.Hour
	server := serve(t, func(conn net.Conn) {
		secured := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{ours.issue(testDomain, -year, year)}, NextProtos: []string{ALPN}})
		_, _ = io.Copy(secured, secured)
	})
	pass := func(*http.Request) string { return "" }
	overTLS := func(cert tls.Certificate, inner func(net.Conn)) func(net.Conn) {
		return func(conn net.Conn) { inner(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})) }
	}
	proxyCert := func(a *authority) tls.Certificate { return a.issue("proxy.example.ok", -year, year) }
	for _, tt := range []struct {
		name     string
		proxy    func(net.Conn) // nil: nothing listens
		setting  string         // PORT stands for its port
		password string         // of the file
		address  string
		want     ladder.Reason // zero: it works
		pieces   []string
	}{
		{name: "open", proxy: connectProxy(pass), setting: "http://127.0.0.1:PORT"},
		{name: "its name", proxy: connectProxy(pass), setting: "http://proxy.example.ok:PORT"},
		{name: "user and password", proxy: connectProxy(wantLogin("user", "hunter2")), setting: "http://user:hunter2@127.0.0.1:PORT"},
		{name: "password of the file", proxy: connectProxy(wantLogin("user", "hunter2")), setting: "http://user:old@127.0.0.1:PORT", password: "hunter2"},
		{name: "over TLS", proxy: overTLS(proxyCert(ours), connectProxy(pass)), setting: "https://proxy.example.ok:PORT"},
		{name: "asks for a password", proxy: connectProxy(wantLogin("user", "hunter2")), setting: "http://127.0.0.1:PORT",
			want: ladder.ProxyWantsLogin, pieces: []string{"407"}},
		{name: "wrong password", proxy: connectProxy(wantLogin("user", "right")), setting: "http://user:hunter2@127.0.0.1:PORT", want: ladder.ProxyWrongLogin, pieces: []string{"407"}},
		{name: "NTLM alone", proxy: connectProxy(always("407 Login", "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n")), setting: "http://u:hunter2@127.0.0.1:PORT",
			want: ladder.ProxyOtherLogin, pieces: []string{"wants negotiate, ntlm", "not Digest, NTLM or Negotiate"}},
		{name: "Digest alone", proxy: connectProxy(always("407 Login", "Proxy-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"\r\n")), setting: "http://u:hunter2@127.0.0.1:PORT",
			want: ladder.ProxyOtherLogin, pieces: []string{"wants digest"}},
		{name: "forbidden", proxy: connectProxy(always("403 Forbidden", "")), setting: "http://127.0.0.1:PORT", want: ladder.ProxyForbidden, pieces: []string{"403 Forbidden"}},
		{name: "does not reach the server", proxy: connectProxy(always("502 Bad Gateway", "")), setting: "http://127.0.0.1:PORT", want: ladder.ProxyNoWay, pieces: []string{"502"}},
		{name: "overloaded", proxy: connectProxy(always("503 \x1b[31mBusy", "")), setting: "http://127.0.0.1:PORT", want: ladder.ProxyNoWay, pieces: []string{"503 ?[31mBusy"}},
		{name: "server's port is closed", proxy: connectProxy(pass), setting: "http://127.0.0.1:PORT", address: closedPort, want: ladder.ProxyNoWay, pieces: []string{"502"}},
		{name: "other refusal", proxy: connectProxy(always("429 Slow down", "")), setting: "http://127.0.0.1:PORT", want: ladder.ProxyRefused, pieces: []string{"429"}},
		{name: "opens TLS itself", proxy: intercepting(newAuthority(t, "Corp Web Gateway CA").issue(testDomain, -year, year)), setting: "http://127.0.0.1:PORT",
			want: ladder.Intercepted, pieces: []string{"Corp Web Gateway CA"}},
		{name: "hangs up", proxy: answer(nil), setting: "http://127.0.0.1:PORT", want: ladder.ProxySilent},
		{name: "no HTTP", proxy: answer([]byte("220 mail.example ESMTP\r\n")), setting: "http://127.0.0.1:PORT", want: ladder.ProxyForeign},
		{name: "endless head", proxy: answer([]byte("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 32<<10))), setting: "http://127.0.0.1:PORT", want: ladder.ProxySilent},
		{name: "no TLS where https is set", proxy: connectProxy(pass), setting: "https://127.0.0.1:PORT", want: ladder.ProxySilent},
		{name: "other authority", proxy: overTLS(proxyCert(newAuthority(t, "Foreign")), connectProxy(pass)), setting: "https://proxy.example.ok:PORT",
			want: ladder.ProxyTLS, pieces: []string{"unknown authority"}},
		{name: "nothing listens", setting: "http://127.0.0.1:PORT", want: ladder.ProxyUnreachable, pieces: []string{"refused"}},
		{name: "name not in DNS", setting: "http://proxy.example.invalid:3128", want: ladder.ProxyNameUnknown, pieces: []string{"proxy.example.invalid"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := closedPort
			if tt.proxy != nil {
				at = serve(t, tt.proxy)
			}
			_, port, _ := net.SplitHostPort(at)
			f := finder(t, ours.File)
			var err error
			f.Proxies, err = NewProxies(strings.ReplaceAll(tt.setting, "PORT", port), tt.password, false, nil)
			must(t, err)
			f.Addresses = []string{server}
			if tt.address != "" {
				f.Addresses = []string{tt.address}
			}
			routes, err := f.Routes(t.Context())
			must(t, err)
			var climbed []ladder.Step
			conn, err := f.Open(t.Context(), routes[0], func(s ladder.Step, _ string) { climbed = append(climbed, s) })
			if tt.want.Code != "" {
				wantFailure(t, err, tt.want, tt.pieces...)
				return
			}
			must(t, err)
			defer conn.Close()
			if climbed[len(climbed)-1] != ladder.TLS || climbed[len(climbed)-2] != ladder.Proxy {
				t.Errorf("climbed %v, want it to end with proxy and tls", climbed)
			}
			echo(t, conn)
		})
	}
}

// echo sends a word through the tunnel and wants it back.
func echo(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, "word"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "word" {
		t.Errorf("read %q, %v through the tunnel", b, err)
	}
}

// Bytes that a proxy sends together with its answer belong to the tunnel.
func TestTunnelLosesNothing(t *testing.T) {
	client, proxy := net.Pipe()
	go func() {
		_, _ = http.ReadRequest(bufio.NewReader(proxy))
		_, _ = io.WriteString(proxy, "HTTP/1.1 200 OK\r\n\r\nearly")
		_, _ = io.WriteString(proxy, " late")
		proxy.Close()
	}()
	conn, err := Proxy{address: "p:1"}.tunnel(t.Context(), client, "x:443")
	must(t, err)
	if text, err := io.ReadAll(conn); string(text) != "early late" {
		t.Errorf("read %q, %v, want all that the proxy sent", text, err)
	}
}

// A proxy that never answers holds the agent for a while only.
func TestSilentProxy(t *testing.T) {
	client, proxy := net.Pipe()
	defer proxy.Close()
	go func() { _, _ = http.ReadRequest(bufio.NewReader(proxy)) }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := Proxy{address: "p:1"}.tunnel(ctx, client, "x:443")
	wantFailure(t, err, ladder.ProxySilent, "http://p:1")
}

// What the environment says is used as by other programs, and a proxy that the agent cannot use is named without its password.
func TestProxyOfTheEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name, env, no, address, want, code string
	}{
		{"set", "http://user:hunter2@proxy:3128", "", "server:443", "server:443 through http://proxy:3128", ""},
		{"without a scheme", "proxy:3128", "", "server:443", "server:443 through http://proxy:3128", ""},
		{"exempt", "http://proxy:3128", ".example.org", "xmpp.example.org:443", "xmpp.example.org:443", ""},
		{"not set", "", "", "server:443", "server:443", ""},
		{"SOCKS", "socks5://user:hunter2@proxy:1080", "", "server:443", "", "proxy_unusable"},
		{"broken", "http://user:hunter2@pro xy", "", "server:443", "", "proxy_unusable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ps, err := NewProxies("", "", false, &httpproxy.Config{HTTPSProxy: tt.env, NoProxy: tt.no})
			must(t, err)
			routes, err := (&Finder{Domain: testDomain, Addresses: []string{tt.address}, Proxies: ps}).Routes(t.Context())
			if tt.code != "" {
				wantFailure(t, err, ladder.ProxyUnusable)
				return
			}
			must(t, err)
			if got := routes[0].String(); got != tt.want {
				t.Errorf("route %s, want %s", got, tt.want)
			}
		})
	}
}
