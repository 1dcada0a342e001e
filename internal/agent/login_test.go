package agent

import (
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
func refusedLogin(t *testing.T, change func(*Config), play func(p *peer)) (wait time.Duration, code, reason string) {
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
		for r.logs.Len() == 0 { // the WebSocket is tried, which does not help
			again.conn.Close()
			again = r.next()
		}
		wait = time.Since(began)
		fields := r.logs.All()[0].ContextMap()
		code, _ = fields["reason"].(string)
		reason, _ = fields["error"].(string)
		r.cancel()
		again.conn.Close()
		must(t, <-r.ended)
	})
	return wait, code, reason
}

// streamErrorFirst answers the first stream header with an error.
func streamErrorFirst(condition string) func(*peer) {
	return func(p *peer) {
		s := p.secure(nil)
		s.until("'>")
		s.send(header + "<stream:error><" + condition + " " + streamErrorsNS + "/></stream:error></stream:stream>")
		s.gone()
	}
}

func saslFailure(inner string) func(*peer) {
	return func(p *peer) {
		s := p.secure(nil)
		s.open(mechanisms("PLAIN"))
		s.until("</auth>")
		s.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + inner + "</failure>")
		s.gone()
	}
}

// authenticated plays a login up to the features behind it.
func (p *peer) authenticated() {
	p.t.Helper()
	p.open(mechanisms("PLAIN"))
	p.until("</auth>")
	p.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
	p.open(boundFeatures)
}

func bindError(condition string) func(*peer) {
	return func(p *peer) {
		s := p.secure(nil)
		s.authenticated()
		_, id, _ := strings.Cut(s.until("</iq>"), `id="`)
		id, _, _ = strings.Cut(id, `"`)
		s.send("<iq type='error' id='" + id + "'><error type='cancel'><" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
		s.gone()
	}
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
		code   string
		want   string
	}{
		{"wrong secret", nil, func(p *peer) {
			s := p.secure(nil)
			s.open(mechanisms("SCRAM-SHA-256"))
			s.scram("SCRAM-SHA-256", "other")
			s.gone()
		}, true, "not_authorized", "not-authorized"},
		{"only PLAIN, not allowed", func(c *Config) { c.AllowPlain = false }, func(p *peer) {
			s := p.secure(nil)
			s.open(mechanisms("PLAIN"))
			s.gone()
		}, true, "no_mechanism", "no matching SASL mechanisms"},
		{"no login asked for", nil, func(p *peer) {
			s := p.secure(nil)
			s.open("")
			s.gone()
		}, true, "no_mechanism", "the server asked for none"},
		{"impostor that accepts everybody", nil, func(p *peer) {
			s := p.secure(nil)
			s.open(mechanisms("SCRAM-SHA-256"))
			s.until("</auth>")
			s.send("<success " + sasl + "/>")
			s.gone()
		}, true, "impostor", ""},
		{"challenge that is cut", nil, challenge("r="), true, "impostor", "malformed"},
		{"challenge with an empty end", nil, challenge("r=x,s=AA==,i=4096,"), true, "impostor", "malformed"},
		{"too few iterations", nil, challenge("r=x,s=AA==,i=1"), true, "impostor", "i=1"},
		{"too many iterations", nil, challenge("r=x,s=AA==,i=999999999"), true, "impostor", "i=999999999"},
		{"TLS 1.1", nil, func(p *peer) {
			cert, _ := testCert()
			cfg := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
			if err := tls.Server(p.conn, cfg).HandshakeContext(p.t.Context()); err == nil {
				p.t.Error("the agent accepted TLS 1.1")
			}
			p.conn.Close()
		}, false, "tls_too_old", "protocol version"},
		{"no STARTTLS", func(c *Config) { c.Addresses = []string{"server:5222"} }, func(p *peer) {
			p.open(mechanisms("PLAIN"))
			p.expect("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			p.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			p.gone()
		}, false, "no_starttls", ""},
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
		}, false, "no_stream_management", ""},
		{"stream management refused", nil, func(p *peer) {
			s := p.secure(nil)
			s.login("")
			s.until("/>")
			s.send("<failed xmlns='urn:xmpp:sm:3'/>")
			s.gone()
		}, false, "no_stream_management", "refused stream management"},
		{"host unknown", nil, streamErrorFirst("host-unknown"), false, "host_unknown", "host-unknown"},
		{"too much to do", nil, streamErrorFirst("resource-constraint"), false, "throttled", "resource-constraint"},
		{"too many logins", nil, streamErrorFirst("policy-violation"), false, "throttled", "policy-violation"},
		{"it stops", nil, streamErrorFirst("system-shutdown"), false, "server_stopping", ""},
		{"another error", nil, streamErrorFirst("not-well-formed"), false, "stream_error", "not-well-formed"},
		{"error of another domain", nil, func(p *peer) {
			s := p.secure(nil)
			s.until("'>")
			s.send(strings.ReplaceAll(header, testDomain, "other.example") + "<stream:error><host-unknown " + streamErrorsNS + "/></stream:error></stream:stream>")
			s.gone()
		}, false, "host_unknown", ""},
		{"disabled", nil, saslFailure("<account-disabled/><text>ask \x41nna</text>"), true, "account_disabled", "ask Anna"},
		{"database is down", nil, saslFailure("<temporary-auth-failure/>"), false, "auth_unavailable", ""},
		{"mechanism is too weak", nil, saslFailure("<mechanism-too-weak/>"), true, "no_mechanism", ""},
		{"another failure", nil, saslFailure("<x/>"), true, "auth_refused", "x"},
		{"closed before the stream", nil, func(p *peer) { p.secure(nil).conn.Close() }, false, "stream_closed", ""},
		{"closed in the login", nil, func(p *peer) { s := p.secure(nil); s.open(mechanisms("PLAIN")); s.until("</auth>"); s.conn.Close() }, false, "auth_closed", ""},
		{"closed after the login", nil, func(p *peer) { s := p.secure(nil); s.authenticated(); s.until("</iq>"); s.conn.Close() }, false, "bind_closed", ""},
		{"silence in the login", nil, func(p *peer) { s := p.secure(nil); s.open(mechanisms("PLAIN")); s.until("</auth>"); s.gone() }, false, "auth_silent", ""},
		{"silence after the login", nil, func(p *peer) { s := p.secure(nil); s.authenticated(); s.until("</iq>"); s.gone() }, false, "bind_silent", ""},
		{"no resource", nil, bindError("conflict"), false, "bind_refused", "conflict"},
		{"no resource for now", nil, bindError("resource-constraint"), false, "throttled", "resource-constraint"},
		{"no XMPP inside TLS", nil, func(p *peer) { s := p.secure(nil); s.until("'>"); s.send("220 mail.example ESMTP\r\n"); s.conn.Close() }, false, "not_xmpp", ""},
		{"endless features", nil, func(p *peer) {
			s := p.secure(nil)
			s.until("'>")
			go func() {
				text := header + "<stream:features>" + strings.Repeat("<x xmlns='urn:x'/>", 8000)
				s.conn.SetWriteDeadline(time.Now().Add(time.Hour))
				s.conn.Write([]byte(text))
			}()
			s.gone()
		}, false, "not_xmpp", "too much"},
		{"silence during TLS", nil, func(p *peer) { p.until("example.org"); time.Sleep(61 * time.Second) }, false, "tls_silent", "deadline"},
		{"silence during login", nil, func(p *peer) { p.secure(nil).until("'>"); time.Sleep(61 * time.Second) }, false, "stream_silent", "did not finish the login"},
		{"silence after bind", nil, func(p *peer) { s := p.secure(nil); s.login(""); s.until("/>"); s.gone() }, false, "silent", "did not answer in time"},
		{"malformed XML behind the bind", nil, func(p *peer) { s := p.secure(nil); s.login(""); s.until("/>"); s.send("<a></b>"); s.gone() }, false, "protocol", "not-well-formed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wait, code, reason := refusedLogin(t, tt.change, tt.play)
			if code != tt.code {
				t.Errorf("code %q, want %q", code, tt.code)
			}
			if !strings.Contains(reason, tt.want) {
				t.Errorf("reason %q, want %q in it", reason, tt.want)
			}
			if slow := wait >= maxWait; slow != tt.slow {
				t.Errorf("next attempt after %v, want slow = %v", wait, tt.slow)
			}
		})
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
		p.expect("<enable xmlns='urn:xmpp:sm:3' resume='true'/><presence/>" + receiptXML("psh_1"))
		p.expect(resultXML("psh_1", "ok", jsonXML(`{"pong":null}`)))
		p.expect(ackRequest)
		r.stop(p)
	})
}
