package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/xmpp/scan"
)

func TestLoginMechanisms(t *testing.T) {
	for _, tt := range []struct {
		name       string
		version    uint16
		offered    []string
		allowPlain bool
		want       string
	}{
		{"channel binding on TLS 1.3", tls.VersionTLS13, []string{"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}, true, "SCRAM-SHA-256-PLUS"},
		{"no channel binding on TLS 1.2", tls.VersionTLS12, []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}, true, "SCRAM-SHA-256"},
		{"none offered", tls.VersionTLS13, []string{"PLAIN", "SCRAM-SHA-256"}, true, "SCRAM-SHA-256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig(t)
				cfg.AllowPlain = tt.allowPlain
				r := startAgent(t, cfg)
				p := r.next().secure(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tt.version, tt.version })
				p.open(mechanisms(tt.offered...))
				p.scram(tt.want, "s3cret")
				p.bind("")
				p.enable()
				r.stop(p)
			})
		})
	}
}

// refusedLogin plays one login that must fail and returns how long the agent waits before the next, and why it says it failed.
func refusedLogin(t *testing.T, change func(*Config), play func(p *peer)) (wait time.Duration, reason string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		if change != nil {
			change(&cfg)
		}
		r := startAgent(t, cfg)
		p := r.next()
		play(p)
		began := time.Now()
		again := r.next()
		wait = time.Since(began)
		if r.logs.Len() == 0 {
			t.Fatal("nothing was logged")
		}
		reason, _ = r.logs.All()[0].ContextMap()["error"].(string)
		r.cancel()
		again.conn.Close()
		must(t, <-r.ended)
	})
	return wait, reason
}

func TestLoginRefused(t *testing.T) {
	const sasl = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
	challenge := func(text string) func(*peer) {
		return func(p *peer) {
			s := p.secure(nil)
			s.open(mechanisms("SCRAM-SHA-256"))
			s.until("</auth>")
			s.send("<challenge " + sasl + ">" + base64.StdEncoding.EncodeToString([]byte(text)) + "</challenge>")
			s.gone()
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*Config)
		play   func(p *peer)
		slow   bool // the agent gives somebody time to change something
		want   string
	}{
		{"wrong secret", nil, func(p *peer) {
			s := p.secure(nil)
			s.open(mechanisms("SCRAM-SHA-256"))
			s.scram("SCRAM-SHA-256", "other")
			s.gone()
		}, true, "not-authorized"},
		{"only PLAIN, not allowed", func(c *Config) { c.AllowPlain = false }, func(p *peer) {
			s := p.secure(nil)
			s.open(mechanisms("PLAIN"))
			s.gone()
		}, true, "no matching SASL mechanisms"},
		{"no login asked for", nil, func(p *peer) {
			s := p.secure(nil)
			s.open("")
			s.gone()
		}, true, "the server asked for none"},
		{"impostor that accepts everybody", nil, func(p *peer) {
			s := p.secure(nil)
			s.open(mechanisms("SCRAM-SHA-256"))
			s.until("</auth>")
			s.send("<success " + sasl + "/>")
			s.gone()
		}, true, "login was refused"},
		{"challenge that is cut", nil, challenge("r="), true, "malformed"},
		{"challenge with an empty end", nil, challenge("r=x,s=AA==,i=4096,"), true, "malformed"},
		{"too few iterations", nil, challenge("r=x,s=AA==,i=1"), true, "i=1"},
		{"too many iterations", nil, challenge("r=x,s=AA==,i=999999999"), true, "i=999999999"},
		{"TLS 1.1", nil, func(p *peer) {
			cert, _ := testCert()
			cfg := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
			if err := tls.Server(p.conn, cfg).HandshakeContext(p.t.Context()); err == nil {
				p.t.Error("the agent accepted TLS 1.1")
			}
			p.conn.Close()
		}, false, "protocol version"},
		{"no STARTTLS", func(c *Config) { c.Addresses = []string{"server:5222"} }, func(p *peer) {
			p.open(mechanisms("PLAIN"))
			p.expect("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			p.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			p.gone()
		}, false, "TLS negotiation failed"},
		{"no stream management", nil, func(p *peer) {
			s := p.secure(nil)
			s.open(mechanisms("PLAIN"))
			s.until("</auth>")
			s.send("<success " + sasl + "/>")
			s.open("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
			_, id, _ := strings.Cut(s.until("</iq>"), `id="`)
			id, _, _ = strings.Cut(id, `"`)
			s.send("<iq type='result' id='" + id + "'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>pc-1@example.org/r</jid></bind></iq>")
			s.gone()
		}, false, "no stream management"},
		{"stream management refused", nil, func(p *peer) {
			s := p.secure(nil)
			s.login("")
			s.until("/>")
			s.send("<failed xmlns='urn:xmpp:sm:3'/>")
			s.gone()
		}, false, "refused stream management"},
		{"endless features", nil, func(p *peer) {
			s := p.secure(nil)
			s.until("'>")
			go func() {
				text := header + "<stream:features>" + strings.Repeat("<x xmlns='urn:x'/>", 8000)
				s.conn.SetWriteDeadline(time.Now().Add(time.Hour))
				s.conn.Write([]byte(text))
			}()
			s.gone()
		}, false, "too much"},
		{"silence during TLS", nil, func(p *peer) { p.until("example.org"); time.Sleep(61 * time.Second) }, false, "deadline"},
		{"silence during login", nil, func(p *peer) { p.secure(nil).until("'>"); time.Sleep(61 * time.Second) }, false, "did not finish the login"},
		{"silence after bind", nil, func(p *peer) { s := p.secure(nil); s.login(""); s.until("/>"); s.gone() }, false, "did not answer in time"},
		{"malformed XML behind the bind", nil, func(p *peer) { s := p.secure(nil); s.login(""); s.until("/>"); s.send("<a></b>"); s.gone() }, false, "not-well-formed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wait, reason := refusedLogin(t, tt.change, tt.play)
			if !strings.Contains(reason, tt.want) {
				t.Errorf("reason %q, want %q in it", reason, tt.want)
			}
			if slow := wait >= maxWait; slow != tt.slow {
				t.Errorf("next attempt after %v, want slow = %v", wait, tt.slow)
			}
		})
	}
}

func TestOpenVerifiesTheCertificate(t *testing.T) {
	cert, ca := testCert()
	caFile := writeFile(t, "ca.pem", string(ca), 0o600)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// Whether the handshake succeeds is for the agent to say.
			_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}}).HandshakeContext(t.Context())
			conn.Close()
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	for _, tt := range []struct{ name, domain, caFile, want string }{
		{"right", testDomain, caFile, ""},
		{"another domain", "example.net", caFile, "not example.net"},
		{"address instead of the domain", "127.0.0.1", caFile, "127.0.0.1"},
		{"unknown authority", testDomain, "", "unknown authority"},
	} {
		cfg, err := tlsConfig(tt.domain, tt.caFile)
		must(t, err)
		conn, err := target{l.Addr().String(), true}.open(t.Context(), new(net.Dialer).DialContext, cfg)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: open = %v, want %q", tt.name, err, tt.want)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestLoginStartTLS(t *testing.T) {
	for name, features := range map[string]string{
		"offered":     "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>",
		"not offered": mechanisms("PLAIN"), // as behind somebody who strips the offer
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig(t)
				cfg.Addresses = []string{"server:5222"}
				r := startAgent(t, cfg)
				p := r.next()
				p.open(features)
				p.expect("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
				p.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
				p = p.secure(nil)
				p.open(mechanisms("SCRAM-SHA-256-PLUS"))
				p.scram("SCRAM-SHA-256-PLUS", "s3cret")
				p.bind("")
				p.enable()
				r.stop(p)
			})
		})
	}
}

// What the server sends in the same record as the answer to the bind is neither lost nor read twice.
func TestNothingIsLostBehindTheBind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startAgent(t, testConfig(t))
		p := r.next().secure(nil)
		p.login("<enabled xmlns='urn:xmpp:sm:3'/>" + pushXML("psh_1", "agent.ping", ""))
		p.expect("<enable xmlns='urn:xmpp:sm:3'/><presence/>" + receiptXML("psh_1"))
		p.expect(resultXML("psh_1", "ok", jsonXML(`{"pong":null}`)))
		p.expect(ackRequest)
		r.stop(p)
	})
}

// Prefixes of the stream header hold for the whole stream.
func TestPrefixesOfTheStreamHeader(t *testing.T) {
	in := newReader(strings.NewReader("<p:push id='1'/></stream:stream>"))
	must(t, in.replay([]byte("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='urn:p' version='1.0'><x/>")))
	ev, err := in.next()
	must(t, err)
	if !ev.Stanza.Is("urn:p", "push") {
		t.Errorf("element in %s", ev.Stanza.Namespace())
	}
	if ev, err = in.next(); err != nil || ev.Kind != scan.StreamClose {
		t.Errorf("next = %v, %v, want the end of the stream", ev.Kind, err)
	}
}

func TestReplayRefuses(t *testing.T) {
	for _, seen := range []string{
		"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>",
		"<stream xmlns='jabber:client'>",
		"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><x>",
		"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'></x>",
	} {
		if err := newReader(strings.NewReader("")).replay([]byte(seen)); err == nil {
			t.Errorf("replay(%s) = nil", seen)
		}
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

func TestTargets(t *testing.T) {
	for _, tt := range []struct {
		name       string
		dns        records
		configured []string
		want       []target
	}{
		{"configured", records{"xmpps-client": {{Target: "a.", Port: 1}}}, []string{"x:443", "y:5222", "z:8443"}, []target{{"x:443", true}, {"y:5222", false}, {"z:8443", true}}},
		{"records", records{"xmpps-client": {{Target: "a.", Port: 443}, {Target: "b.", Port: 5223}}, "xmpp-client": {{Target: "c.", Port: 5269}}}, nil,
			[]target{{"a:443", true}, {"b:5223", true}, {"c:5269", false}}},
		{"not offered", records{"xmpps-client": {{Target: "."}}, "xmpp-client": {{Target: "c.", Port: 5222}}}, nil, []target{{"c:5222", false}}},
		{"no records", nil, nil, []target{{"example.org:443", true}, {"example.org:5222", false}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := targets(t.Context(), tt.dns, testDomain, tt.configured)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(target{})); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTLSConfigVerifiesTheDomain(t *testing.T) {
	cfg, err := tlsConfig("Example.ORG", "")
	must(t, err)
	if cfg.ServerName != "Example.ORG" || cfg.MinVersion != tls.VersionTLS12 || cfg.InsecureSkipVerify || cfg.RootCAs != (*x509.CertPool)(nil) || !cmp.Equal(cfg.NextProtos, []string{"xmpp-client"}) {
		t.Errorf("tlsConfig = %+v", cfg)
	}
}
