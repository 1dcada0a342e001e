package doctor

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"
)

func TestWhatAnswersAtAPort(t *testing.T) {
	const open = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
	const plain = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
	for _, tc := range []struct {
		name   string
		answer func(net.Conn)
		want   string
	}{
		{"secrets in plain text", offering(open + plain + "</stream:features>"), "unsafe: offers logins before TLS"},
		{"secrets in plain text by SASL2", offering(open + "<authentication xmlns='urn:xmpp:sasl:2'/></stream:features>"), "unsafe: offers logins before TLS"},
		{"no TLS", offering("<stream:features/>"), "offers no STARTTLS: another program has the port"},
		{"another domain", offering("<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"),
			"does not serve the domain " + domain + " (host-unknown)"},
		{"full", offering("<stream:error><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>x</text><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"),
			"ends the stream with policy-violation"},
		{"a message", offering("<message/>"), "answers no stream features"},
		{"the end", offering("</stream:stream>"), "closes the connection without an answer"},
		{"another root", func(c net.Conn) { _, _ = c.Write([]byte("<html xmlns='http://www.w3.org/1999/xhtml'>")) }, "answers XML that is no stream"},
		{"mail", func(c net.Conn) { _, _ = c.Write([]byte("220 mail.example ESMTP\r\n")) }, "answers something that is no XMPP: another program has the port"},
		{"an endless answer", func(c net.Conn) { _, _ = c.Write([]byte("<a b='" + strings.Repeat("x", 1<<17))) }, "answers something that is no XMPP"},
		{"a closed connection", func(c net.Conn) { said(c, ">"); _ = c.Close() }, "closes the connection without an answer: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			x.Config.Listen.XMPP = []string{answering(t, tc.answer)}
			x.take(t.Context(), []Step{XMPP})
			wantLines(t, x, "ok signalbox.yaml", "ok xmpp.routing", "wrong listen.xmpp "+x.Config.Listen.XMPP[0]+", before TLS: "+tc.want)
		})
	}
}

// TestSilenceEnds: a program that says nothing is not waited for longer than patience, or than whoever asked waits.
func TestSilenceEnds(t *testing.T) {
	x := example(t)
	x.patience = 2 * time.Second // in which a connection is made, also on a busy machine
	x.Config.Listen.TLS = []string{answering(t, func(net.Conn) {})}
	x.take(t.Context(), []Step{XMPP})
	wantLines(t, x, "ok signalbox.yaml", "ok xmpp.routing", ", over TLS: does not answer in time")

	x.checks, x.patience = nil, time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	x.take(ctx, nil)
	if ctx.Err() == nil || len(x.checks) == 0 || x.checks[len(x.checks)-1].Step == XMPP {
		t.Errorf("found %v, want the rest left out", lines(x))
	}
}

// serving answers with TLS, and a stream in it.
func serving(t *testing.T, x *examination, cfg *tls.Config, features string) string {
	cfg.Certificates = append(cfg.Certificates, keyPair(t, x))
	return answering(t, func(conn net.Conn) {
		c := tls.Server(conn, cfg)
		if c.HandshakeContext(t.Context()) == nil {
			offering(features)(c)
		}
	})
}

func TestWhatAClientRefuses(t *testing.T) {
	const login = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
	t.Run("nothing", func(t *testing.T) {
		x := example(t)
		x.Config.Listen.TLS = []string{serving(t, x, &tls.Config{NextProtos: []string{alpnClient}}, login)}
		x.take(t.Context(), []Step{TLS, XMPP})
		wantLines(t, x, "ok signalbox.yaml", "ok ", ", ALPN xmpp-client: a client accepts it: TLS 1.3", ", without ALPN: a client accepts it: TLS 1.3", "ok xmpp.routing", "offers logins by PLAIN", ", WebSocket: refuses the TLS handshake")
	})
	t.Run("no mechanism", func(t *testing.T) {
		x := example(t)
		x.Config.Listen.TLS = []string{serving(t, x, &tls.Config{}, "<stream:features/>")}
		x.take(t.Context(), []Step{XMPP})
		wantLines(t, x, "ok signalbox.yaml", "ok xmpp.routing", "over TLS: offers no mechanism for logins")
	})
	t.Run("time", func(t *testing.T) {
		x := example(t)
		x.Config.Listen.TLS = []string{serving(t, x, &tls.Config{}, login)}
		x.now = time.Now().AddDate(3, 0, 0)
		x.take(t.Context(), []Step{TLS})
		wantLines(t, x, "ok signalbox.yaml", "(expired)", "a client refuses it with certificate_expired: ", "a client refuses it with certificate_expired: ")
	})
	t.Run("name", func(t *testing.T) {
		x := example(t)
		x.Config.Listen.TLS = []string{serving(t, x, &tls.Config{}, login)}
		if err := x.survey(); err != nil {
			t.Fatal(err)
		}
		x.Config.Domain = "other.example"
		x.take(t.Context(), []Step{TLS})
		wantLines(t, x, "ok signalbox.yaml", "ok ", "a client refuses it with bad_certificate: x509: certificate is valid for "+domain, "a client refuses it with bad_certificate: ")
	})
	t.Run("unknown root", func(t *testing.T) {
		x := example(t)
		x.Config.Listen.TLS = []string{serving(t, x, &tls.Config{}, login)}
		if err := x.survey(); err != nil {
			t.Fatal(err)
		}
		x.bundles[0].Root = nil // the system's roots decide
		x.take(t.Context(), []Step{TLS})
		wantLines(t, x, "ok signalbox.yaml", "ok ", "a client refuses it with unknown_ca: ", "a client refuses it with unknown_ca: ")
	})
}

// TestPortsThatAnnounceThemselves: the addresses of a running server stand for those of the configuration.
func TestPortsThatAnnounceThemselves(t *testing.T) {
	for _, tc := range []struct {
		name                  string
		configured, announced []string
		want, missing         string
	}{
		{"as configured", []string{":443"}, []string{"[::]:443"}, "[::]:443", ""},
		{"a free port", []string{"127.0.0.1:0", "127.0.0.2:0"}, []string{"127.0.0.1:1", "127.0.0.2:2"}, "127.0.0.1:1 127.0.0.2:2", ""},
		{"another port", []string{":443"}, []string{"[::]:8443"}, "", ":443"},
		{"one more", []string{":443", ":444"}, []string{"[::]:443"}, "[::]:443", ":444"},
		{"none of these", []string{":443"}, nil, "", ":443"},
		{"no address", []string{"443"}, nil, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			x.Running = map[string][]string{"api": {"127.0.0.1:8080"}}
			var got []string
			for _, p := range x.ports("listen.tls", tc.configured, tc.announced, false) {
				got = append(got, p.addr)
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("ports = %q, want %q", s, tc.want)
			}
			if tc.missing == "" {
				wantLines(t, x)
			} else {
				wantLines(t, x, "wrong listen.tls "+tc.missing+": the running server does not listen there")
			}
		})
	}
}
