package why

import (
	"encoding/base64"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

const header = "<?xml version='1.0'?><stream:stream to='" + harness.Domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

// plain sends a login by PLAIN on a fresh stream, and must be refused.
func plain(id, password string) func(*scene) {
	return func(c *scene) {
		c.t.Helper()
		st := c.stream()
		st.Open()
		id := strings.ReplaceAll(id, "$ID", c.id)
		st.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00"+id+"\x00"+password)) + "</auth>")
		st.Want("<failure")
		st.Close()
	}
}

// sends sends text on a direct TLS connection until the server ends the stream; $ID is the scene's.
func sends(texts ...string) func(*scene) {
	return func(c *scene) {
		c.t.Helper()
		st := c.stream()
		for _, text := range texts {
			st.Send(strings.ReplaceAll(text, "$ID", c.id))
		}
		for {
			if got := st.Next(); got == "(end)" || got == "(closed)" {
				break
			}
		}
		st.Close()
	}
}

// leaves opens a stream, sends text and goes without a word.
func leaves(text string) func(*scene) {
	return func(c *scene) {
		c.t.Helper()
		st := c.stream()
		st.Open()
		if text != "" {
			st.Send(text)
			st.Next()
		}
		st.Close()
	}
}

// named is a stream header that says who it is from.
var named = strings.Replace(header, "<stream:stream ", "<stream:stream from='$ID@"+harness.Domain+"' ", 1)

// TestLogins: streams and logins that were refused.
func TestLogins(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick, func(c *config.Config) { c.XMPP.ClientCA = filepath.Join(filepath.Dir(c.DataDir), "clients.pem") })
	for _, r := range []row{
		{"wrong domain", "wrong_domain", sends(strings.Replace(header, harness.Domain, "itsm.example", 1)), []string{"itsm.example", harness.Domain}, []string{"Set the domain", harness.Domain}},
		{"another namespace", "stream_refused", sends(strings.Replace(header, "jabber:client", "jabber:server", 1)), []string{"invalid_namespace"}, []string{"REASONS.md"}},
		{"no XML", "stream_refused", sends("<1>"), []string{"not_well_formed"}, []string{"REASONS.md"}},
		{"a silent stream", "stream_timeout", sends(" "), []string{"no stream header"}, []string{"proxy"}},
		{"plain text without STARTTLS", "starttls_not_asked", func(c *scene) {
			conn := c.tcp("xmpp")
			_, _ = conn.Write([]byte(header))
			_, _ = conn.Read(make([]byte, 4096))
			conn.Close()
		}, []string{"plain text"}, []string{"STARTTLS"}},
		{"wrong secret", "wrong_secret", plain("$ID", "wrong-secret"), []string{"$ID is registered", "does not know its secret", "$IP"}, []string{"signalbox endpoint secret $ID"}},
		{"unknown mechanism", "mechanism_not_offered", sends(named, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='DIGEST-MD5'/>", "</stream:stream>"),
			[]string{"DIGEST-MD5", "$ID wants"}, []string{"SCRAM-SHA-256"}},
		{"a malformed login", "login_malformed", leaves("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AAAA</auth>"), []string{"cannot be read"}, []string{"Update"}},
		{"acts as another", "wrong_authzid", func(c *scene) {
			st := c.stream()
			st.Open()
			text := "boss@" + harness.Domain + "\x00" + c.id + "\x00" + secret
			st.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte(text)) + "</auth>")
			st.Want("invalid-authzid")
			st.Close()
		}, []string{"$ID proved", "another"}, []string{"authorization identity"}},
		{"leaves at the offer", "login_given_up", leaves(""), []string{"left without trying"}, []string{"mechanism"}},
		{"gives up by abort", "login_given_up", leaves("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), nil, nil},
		{"never logs in", "login_timeout", sends(header), []string{"did not log in"}, []string{"log of the program"}},
		{"a stanza before login", "login_refused", sends(header, "<iq type='get' id='1'/>"), []string{"not_authorized"}, []string{"REASONS.md"}},
		{"leaves before binding", "bind_given_up", func(c *scene) {
			st := c.stream()
			st.Authenticate(c.id, secret)
			st.Close()
		}, []string{"$ID logged in from $IP", "ended before it had a session", "connection_lost"}, []string{"RFC 6120 section 7"}},
		{"another token", "wrong_token", func(c *scene) {
			st := c.stream()
			st.Open()
			st.Send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>" + base64.StdEncoding.EncodeToString([]byte(c.id+"\x00"+strings.Repeat("x", 32))) +
				"</initial-response><user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/><fast xmlns='urn:xmpp:fast:0'/></authenticate>")
			st.Want("<failure")
			st.Close()
		}, []string{"token"}, []string{"forget"}},
		{"binds to another connection", "channel_binding", scramY, []string{"another TLS connection"}, []string{"TLS inspection", harness.Domain}},
		{"disabled", "endpoint_disabled", func(c *scene) {
			c.s.Call(c.t, "PATCH", "/v1/endpoints/"+c.id, `{"enabled":false}`, http.StatusOK)
			plain("$ID", secret)(c)
		}, []string{"$ID is disabled", ", at "}, []string{"Enable"}},
		{"disabled and gone", "endpoint_disabled", func(c *scene) {
			c.s.Call(c.t, "PATCH", "/v1/endpoints/"+c.id, `{"enabled":false}`, http.StatusOK)
		}, []string{"$ID is disabled"}, []string{"signalbox endpoint enable $ID"}},
		{"enabled, and not back yet", "enabled_later", func(c *scene) {
			c.s.Call(c.t, "PATCH", "/v1/endpoints/"+c.id, `{"enabled":false}`, http.StatusOK)
			plain("$ID", secret)(c)
			c.await("endpoint_disabled")
			c.s.Call(c.t, "PATCH", "/v1/endpoints/"+c.id, `{"enabled":true}`, http.StatusOK)
		}, []string{"while it was disabled", "has not come back"}, nil},
	} {
		r.run(t, s, true)
	}
	for _, r := range []row{
		{"unknown endpoint", "unknown_endpoint", func(c *scene) {
			c.id += "-typo"
			plain("$ID", secret)(c)
		}, []string{"$ID tried to log in from $IP", "not registered"}, []string{"signalbox endpoint create $ID"}},
		{"registered too late", "registered_later", func(c *scene) {
			c.id += "-late"
			plain("$ID", secret)(c)
			c.register(c.id)
		}, []string{"before it was registered", "$IP"}, []string{"next try"}},
		{"certificate of nobody", "client_certificate", func(c *scene) {
			// Nobody is named by the certificate, so who it is stands in the stream header.
			st := c.s.ConnectAs(c.t, c.id, "pc@elsewhere.example")
			st.Send(strings.ReplaceAll(named, "$ID", c.id))
			st.Next()
			st.Next()
			st.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
			st.Want("<failure")
			st.Close()
		}, []string{"client certificate (EXTERNAL)", harness.Domain}, []string{"xmpp.client_ca"}},
	} {
		r.run(t, s, false)
	}
}

// scramY says that the server offers no channel binding, as somebody in between would have the client believe.
func scramY(c *scene) {
	c.t.Helper()
	st := c.stream()
	st.Open()
	st.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>" + base64.StdEncoding.EncodeToString([]byte("y,,n="+c.id+",r=abcdefghijklmnop")) + "</auth>")
	st.Want("<failure")
	st.Close()
}

// TestGuessesDriveOutNothing: guesses in an endpoint's name from elsewhere leave what is known of its own address.
func TestGuessesDriveOutNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	c := newScene(t, s)
	c.home()
	leaves("")(c)
	mine := c.await("login_given_up")
	for range 12 {
		other := newScene(t, s)
		other.id = c.id
		plain("$ID", "wrong-secret")(other)
	}
	d := c.await("wrong_secret")
	if n := len(d.Attempts); n > 9 || d.Attempts[n-1].Code != mine.Code {
		t.Errorf("%d attempts, the oldest %+v, want at most 8 of others and then the own one", n, d.Attempts[n-1])
	}
}
