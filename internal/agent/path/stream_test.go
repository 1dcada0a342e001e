package path

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http/httpproxy"

	"signalbox/internal/agent/ladder"
)

// A certificate of which the server has proven that it is its own will do, whoever signed it, also for what belongs to the server.
func TestSecuredByProof(t *testing.T) {
	strange := newAuthority(t, "Another").issue("elsewhere.example", -time.Hour, time.Hour)
	address := serve(t, func(conn net.Conn) {
		_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{strange}}).Handshake()
	}) // the agent refuses at first
	server, roots, err := TLSConfig(testDomain, newAuthority(t, "Ours").File)
	must(t, err)
	f := &Finder{Domain: testDomain, TLS: Pinned(server), Roots: roots, Dial: new(net.Dialer).DialContext}
	if _, err := f.Secured(t.Context(), address, "http/1.1"); err == nil {
		t.Fatal("a strange certificate was believed")
	}
	leaf, err := x509.ParseCertificate(strange.Certificate[0])
	must(t, err)
	f.Prove(tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
	conn, err := f.Secured(t.Context(), address, "http/1.1")
	must(t, err)
	conn.Close()
}

// What belongs to the server is reached by its proxies, and its certificate is looked at: by the host's name, or by the domain where the host is an IP address. That holds also where
// the server's streams prove themselves otherwise.
func TestSecured(t *testing.T) {
	ours := newAuthority(t, "Ours")
	year := 365 * 24 * time.Hour
	shows := func(cert tls.Certificate) string {
		return serve(t, func(conn net.Conn) {
			secured := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"stun.turn"}})
			_, _ = io.Copy(secured, secured)
		})
	}
	proxy := serve(t, connectProxy(wantLogin("user", "hunter2")))
	named := func(address string) string {
		_, port, _ := net.SplitHostPort(address)
		return net.JoinHostPort("turn.example.ok", port)
	}
	good, host := shows(ours.issue(testDomain, -year, year)), shows(ours.issue("turn.example.ok", -year, year))
	for _, tt := range []struct {
		name, address, proxy string
		want                 ladder.Reason // zero: it works
	}{
		{name: "an address with the domain's certificate", address: good},
		{name: "a host with its own", address: named(host)},
		{name: "through the proxy", address: good, proxy: "http://user:hunter2@" + proxy},
		{name: "a host with the domain's", address: named(good), want: ladder.WrongName},
		{name: "an address with another", address: host, want: ladder.WrongName},
		{name: "of another authority", address: shows(newAuthority(t, "Corp Web Gateway CA").issue(testDomain, -year, year)), want: ladder.Intercepted},
		{name: "expired", address: shows(ours.issue(testDomain, -year, -time.Hour)), want: ladder.CertExpired},
		{name: "the proxy refuses", address: good, proxy: "http://user:wrong@" + proxy, want: ladder.ProxyWrongLogin},
		{name: "nothing listens", address: closedPort, want: ladder.PortRefused},
		{name: "no address", address: "a b:1", want: ladder.NameUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, roots, err := TLSConfig(testDomain, ours.File)
			must(t, err)
			server.InsecureSkipVerify = true
			setting := tt.proxy
			if setting == "" {
				setting = NoProxy
			}
			proxies, err := NewProxies(setting, "", false, &httpproxy.Config{})
			must(t, err)
			f := &Finder{Domain: testDomain, TLS: server, Roots: roots, Proxies: proxies, Dial: (&net.Dialer{Resolver: nameServer(t)}).DialContext}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			conn, err := f.Secured(ctx, tt.address, "stun.turn")
			if got := ladder.Of(err); (got == nil) != (tt.want.Code == "") || got != nil && got.Code != tt.want.Code {
				t.Fatalf("Secured() = %v, want %q", err, tt.want.Code)
			}
			if err == nil {
				_, err := io.WriteString(conn, "hello")
				must(t, err)
				b := make([]byte, 5)
				if _, err := io.ReadFull(conn, b); err != nil || string(b) != "hello" {
					t.Errorf("read %q, %v", b, err)
				}
				conn.Close()
			}
		})
	}
}

// Names below localhost are this machine's, whatever a resolver says.
func TestLoopback(t *testing.T) {
	for address, want := range map[string]string{
		"signalbox.localhost:443": "localhost:443", "A.LocalHost.:1": "localhost:1", "localhost:443": "localhost:443", "notlocalhost:443": "notlocalhost:443",
		"localhost.example.com:443": "localhost.example.com:443", "127.0.0.1:443": "127.0.0.1:443", "[::1]:443": "[::1]:443",
	} {
		if got := loopback(address); got != want {
			t.Errorf("loopback(%q) = %q, want %q", address, got, want)
		}
	}
}
