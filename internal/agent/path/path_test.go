package path

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpproxy"

	"signalbox/internal/agent/ladder"
)

const testDomain = "example.org"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// records is a resolver.
type records map[string][]*net.SRV

func (r records) LookupSRV(_ context.Context, service, _, _ string) (string, []*net.SRV, error) {
	if list, ok := r[service]; ok {
		return "", list, nil
	}
	return "", nil, errors.New("no such host")
}

func proxies(t *testing.T, setting string, fallback bool) Proxies {
	t.Helper()
	ps, err := NewProxies(setting, "", fallback, &httpproxy.Config{HTTPSProxy: "http://env:3128", NoProxy: "b"})
	must(t, err)
	return ps
}

func TestRoutes(t *testing.T) {
	srv := records{"xmpps-client": {{Target: "a.", Port: 443}, {Target: "b.", Port: 5223}}, "xmpp-client": {{Target: "c.", Port: 5269}}}
	closed := []*net.SRV{{Target: "."}}
	for _, tt := range []struct {
		name       string
		dns        records
		configured []string
		proxy      string
		fallback   bool
		want       []string
		code       string
	}{
		{name: "configured", dns: srv, configured: []string{"x:443", "y:5222", "z:8443"}, proxy: NoProxy, want: []string{"x:443 tls", "y:5222", "z:8443 tls"}},
		{name: "records", dns: srv, proxy: NoProxy, want: []string{"a:443 tls", "b:5223 tls", "c:5269"}},
		{name: "one service is not offered", dns: records{"xmpps-client": closed, "xmpp-client": {{Target: "c.", Port: 5222}}}, proxy: NoProxy, want: []string{"c:5222"}},
		{name: "nothing is offered", dns: records{"xmpps-client": closed, "xmpp-client": closed}, proxy: NoProxy, code: "service_not_offered"},
		{name: "no records", proxy: NoProxy, want: []string{"example.org:443 tls", "example.org:5222"}},
		{name: "proxy", configured: []string{"x:443", "y:5222"}, proxy: "http://p:3128", want: []string{"x:443 through http://p:3128 tls", "y:5222 through http://p:3128"}},
		{name: "proxy, then without", configured: []string{"x:443", "y:5222"}, proxy: "https://p", fallback: true,
			want: []string{"x:443 through https://p:443 tls", "y:5222 through https://p:443", "x:443 tls", "y:5222"}},
		{name: "proxy of the environment", configured: []string{"a:443", "b:443"}, want: []string{"a:443 through http://env:3128 tls", "b:443 tls"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &Finder{Domain: testDomain, Addresses: tt.configured, DNS: tt.dns, Proxies: proxies(t, tt.proxy, tt.fallback)}
			routes, err := f.Routes(t.Context())
			if code(err) != tt.code {
				t.Errorf("Routes fails with %v, want %q", err, tt.code)
			}
			if diff := cmp.Diff(tt.want, texts(t, routes)); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
		})
	}
}

// texts names ways of a test. Behind each of direct TLS, and nowhere else, that by WebSocket must stand, which is left out.
func texts(t *testing.T, routes []Route) (out []string) {
	t.Helper()
	for i, r := range routes {
		var before Route
		if i > 0 {
			before = routes[i-1]
		}
		before.WebSocket = before.Direct
		if r.WebSocket != (before.Direct && before == r) {
			t.Errorf("way %d of %v", i, routes)
		}
		if r.WebSocket {
			continue
		}
		text := r.String()
		if r.Direct {
			text += " tls"
		}
		out = append(out, text)
	}
	return out
}

func code(err error) string {
	if f := ladder.Of(err); f != nil {
		return f.Code
	}
	return ""
}

// What worked goes first for a day, as long as it is still a way.
// TestTowardAnUnusableProxy: where the server sends the agent does not lead past a proxy that must not be passed by.
func TestTowardAnUnusableProxy(t *testing.T) {
	for fallback, want := range map[bool]int{false: 0, true: 1} {
		ps, err := NewProxies("", "", fallback, &httpproxy.Config{HTTPSProxy: "socks5://p:1080"})
		must(t, err)
		f := &Finder{Domain: testDomain, Proxies: ps}
		if got := f.Toward("other:443"); len(got) != want || want == 1 && !got[0].Proxy.IsZero() {
			t.Errorf("with fallback %v: %v", fallback, got)
		}
	}
}

func TestRouteThatWorked(t *testing.T) {
	for _, tt := range []struct {
		name         string
		address, via string
		direct       bool
		age          time.Duration
		wantFirst    string
		wantHowMany  int
	}{
		{"fallback port", "y:5222", "http://p:3128", false, time.Hour, "y:5222 through http://p:3128", 6},
		{"without the proxy", "x:443", "direct", true, time.Hour, "x:443", 6},
		{"after a day", "x:443", "direct", true, 25 * time.Hour, "x:443 through http://p:3128", 6},
		{"no longer configured", "old:443", "direct", true, time.Hour, "x:443 through http://p:3128", 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &Finder{Domain: testDomain, Addresses: []string{"x:443", "y:5222"}, Proxies: proxies(t, "http://p:3128", true)}
			f.Recall([]Known{{Address: tt.address, Direct: tt.direct, Via: tt.via, At: time.Now().Add(-tt.age)}})
			routes, err := f.Routes(t.Context())
			must(t, err)
			if routes[0].String() != tt.wantFirst || len(routes) != tt.wantHowMany {
				t.Errorf("routes %v, want %d with %s first", routes, tt.wantHowMany, tt.wantFirst)
			}
		})
	}
}

func TestParseProxy(t *testing.T) {
	for _, tt := range []struct{ text, want, mistake string }{
		{"http://p", "http://p:80", ""},
		{"https://p/", "https://p:443", ""},
		{"http://u:secret@p:3128", "http://p:3128", ""},
		{"http://[::1]:3128", "http://[::1]:3128", ""},
		{"socks5://p:1080", "", `"socks5" is no kind of proxy that the agent knows; use http or https`},
		{"p:3128", "", `"p" is no kind of proxy that the agent knows; use http or https`},
		{"http://u:secret@:3128", "", "names no host"},
		{"http://p:3128/path", "", "must be http://host:port with nothing behind it"},
		{"http://u:sec ret@p:x", "", "is no URL such as http://host:port"},
		{"http://a%3Ab:c@p", "", "has a user with a colon, which Basic cannot tell from the password"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			p, err := ParseProxy(tt.text)
			mistake := ""
			if err != nil {
				mistake = err.Error()
			} else if p.String() != tt.want {
				t.Errorf("ParseProxy = %s, want %s", p, tt.want)
			}
			if mistake != tt.mistake {
				t.Errorf("mistake %q, want %q", mistake, tt.mistake)
			}
		})
	}
}

func TestTLSConfigVerifiesTheDomain(t *testing.T) {
	cfg, _, err := TLSConfig("Example.ORG", "")
	must(t, err)
	if cfg.ServerName != "Example.ORG" || cfg.MinVersion != tls.VersionTLS12 || cfg.InsecureSkipVerify || cfg.RootCAs != (*x509.CertPool)(nil) || !cmp.Equal(cfg.NextProtos, []string{"xmpp-client"}) {
		t.Errorf("TLSConfig = %+v", cfg)
	}
}

func TestValidAddress(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"xmpp.example.com:443", true}, {"[::1]:5222", true}, {"[fe80::1%eth0]:443", true}, {"192.0.2.1:65535", true},
		{"xmpp.example.com", false}, {":443", false}, {"a:0x1", false}, {"a:65536", false}, {"a:", false},
		{"a\r\nX: y:443", false}, {"a b:443", false}, {"a/b:443", false}, {"u@a:443", false}, {"ä:443", false},
	} {
		if got := ValidAddress(tt.text); got != tt.want {
			t.Errorf("ValidAddress(%q) = %v, want %v", tt.text, got, tt.want)
		}
	}
}
