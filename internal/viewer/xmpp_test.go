package viewer

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/internal/signalling"
)

const (
	open     = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='x.test' id='1' version='1.0'>"
	mechs    = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
	success  = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
	bindable = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"
)

// script is the server's side of one stream.
type script struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// reads reads until a text has come, and returns all of it.
func (s *script) reads(until string) string {
	var b strings.Builder
	for !strings.HasSuffix(b.String(), until) {
		c, err := s.in.ReadByte()
		if err != nil {
			s.t.Errorf("got %s, %v, want %s", b.String(), err, until)
			return b.String()
		}
		b.WriteByte(c)
	}
	return b.String()
}

func (s *script) says(text string) {
	if _, err := io.WriteString(s.conn, text); err != nil {
		s.t.Errorf("say %s: %v", text, err)
	}
}

// login goes as far as the bound resource, and returns what the client proves itself with.
func (s *script) login() (plain string) {
	s.reads(session + "@x.test'>")
	s.says(open + mechs)
	text := strings.TrimSuffix(s.reads("</auth>"), "</auth>")
	text = text[strings.LastIndex(text, ">")+1:]
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		s.t.Errorf("auth %q: %v", text, err)
	}
	return string(decoded)
}

// binds gives the client a resource.
func (s *script) binds() {
	s.says(success)
	s.reads(session + "@x.test'>")
	s.says(open + bindable)
	_, id, _ := strings.Cut(s.reads("</iq>"), "id=\"")
	id, _, _ = strings.Cut(id, "\"")
	s.says("<iq type='result' id='" + id + "'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>" + session + "@x.test/r</jid></bind></iq>")
}

// xmppLine returns a line to a server that plays a script.
func xmppLine(t *testing.T, a signalling.Attach, play func(*script)) (Line, error) {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(certified.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS13})
	must(t, err)
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	running.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute)) // a script that goes wrong ends
		play(&script{t, conn, bufio.NewReader(conn)})
	})
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	return XMPP("x.test", func(ctx context.Context) (*tls.Conn, error) {
		c, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "example.com"}}).DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		return c.(*tls.Conn), nil
	})(t.Context(), a)
}

var attach = signalling.Attach{About: signalling.About{ID: session}, Token: "t0ken"}

// A line of the XML spelling logs in with the token, answers what comes, and is sent away in the end.
func TestXMPP(t *testing.T) {
	plain, said := "", ""
	l, err := xmppLine(t, attach, func(s *script) {
		plain = s.login()
		s.binds()
		s.says("<message type='headline' from='x.test'><restarted xmlns='urn:signalbox:session:2'/></message><message type='headline' from='x.test'><body>hello</body></message>")
		s.says("<message type='headline' from='x.test'><restarted xmlns='urn:signalbox:session:1' id='" + session + "'/></message>")
		s.says(" <iq type='set' id='7' from='x.test' to='" + session + "@x.test/r'><end xmlns='urn:signalbox:session:1' id='" + session + "' reason='idle_limit'/></iq>")
		said = s.reads("to='x.test'/>")
		said += s.reads("</iq>")
		s.says("</stream:stream>")
		_, _ = io.Copy(io.Discard, s.in)
	})
	must(t, err)
	m, err := l.Receive(t.Context())
	if _, ok := m.(signalling.Restarted); !ok || err != nil {
		t.Fatalf("Receive = %#v, %v, want what needs no answer, of which there is one that is known", m, err)
	}
	m, err = l.Receive(t.Context())
	if end, ok := m.(signalling.End); !ok || err != nil || end.Reason != "idle_limit" {
		t.Fatalf("Receive = %#v, %v", m, err)
	}
	must(t, l.Send(t.Context(), signalling.Relay{About: attach.About, Channel: "files", Number: 1}))
	var refused *RefusedError
	if _, err := l.Receive(t.Context()); !errors.As(err, &refused) {
		t.Errorf("after the end of the stream Receive = %v, want a refusal", err)
	}
	must(t, l.Close())
	if plain != "\x00"+session+"\x00t0ken" {
		t.Errorf("it logs in with %q", plain)
	}
	if !strings.HasPrefix(said, "<iq type='result' id='7' to='x.test'/>") || !strings.Contains(said, "<relay xmlns='urn:signalbox:session:1' id='"+session+"' channel='files' number='1'/>") {
		t.Errorf("it says %s", said)
	}
}

// Who comes back shows the secret, marked.
func TestXMPPReattach(t *testing.T) {
	plain := ""
	l, err := xmppLine(t, signalling.Attach{About: attach.About, Reattach: "s3cret"}, func(s *script) {
		plain = s.login()
		s.binds()
		_, _ = io.Copy(io.Discard, s.in)
	})
	must(t, err)
	must(t, l.Close())
	if plain != "\x00"+session+"\x00reattach:s3cret" {
		t.Errorf("it logs in with %q", plain)
	}
}

// A line whose server gives no sign of life ends by being asked for one; another goes on.
func TestXMPPCheck(t *testing.T) {
	for answers, within := range map[bool]time.Duration{true: time.Minute, false: 2 * time.Second} { // in which the question is on its way, also on a busy machine
		checked := make(chan struct{})
		l, err := xmppLine(t, attach, func(s *script) {
			s.login()
			s.binds()
			if text := s.reads("</iq>"); !strings.Contains(text, "to='x.test'><ping xmlns='urn:xmpp:ping'/>") {
				t.Errorf("it says %s", text)
			}
			if answers {
				s.says("<iq type='result' id='1' from='x.test'/>")
			}
			<-checked
			_, _ = io.WriteString(s.conn, "<iq type='set' id='7' from='x.test'><end xmlns='urn:signalbox:session:1' id='"+session+"' reason='idle_limit'/></iq>") // to nobody, perhaps
			_, _ = io.Copy(io.Discard, s.in)
		})
		must(t, err)
		received := make(chan error, 1)
		go func() {
			_, err := l.Receive(t.Context())
			received <- err
		}()
		ctx, cancel := context.WithTimeout(t.Context(), within)
		l.Check(ctx)
		cancel()
		close(checked)
		if err := <-received; (err == nil) != answers {
			t.Errorf("a server that answers (%v): Receive = %v", answers, err)
		}
		_ = l.Close() // it may have ended
	}
}

// Some ends leave hope.
func TestXMPPEnds(t *testing.T) {
	refused := func(condition string) string {
		return "<iq type='error' id='1'><error type='cancel'><" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
	}
	broken := func(condition string) string {
		return "<stream:error><" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
	}
	for _, tc := range []struct {
		name, says string
		final      bool
	}{
		{"lost", "", false},
		{"another took the side", broken("conflict"), true},
		{"shutdown", broken("system-shutdown"), false},
		{"message forbidden", refused("forbidden"), true},
		{"message too late", refused("unexpected-request"), false},
		{"not XML", "<a><b></a>", true},
		{"no message", "<iq type='set' id='1'><end xmlns='urn:signalbox:session:1'/></iq>", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := xmppLine(t, attach, func(s *script) {
				s.login()
				s.binds()
				s.says(tc.says)
			})
			must(t, err)
			_, err = l.Receive(t.Context())
			var refused *RefusedError
			if err == nil || errors.As(err, &refused) != tc.final {
				t.Errorf("Receive = %v, final should be %v", err, tc.final)
			}
			_ = l.Close() // it has ended
		})
	}
}

// A token that the server does not take is a refusal; a connection that is lost is none.
func TestXMPPLoginFails(t *testing.T) {
	for _, tc := range []struct {
		says  string
		final bool
	}{{"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>", true}, {"", false}} {
		_, err := xmppLine(t, attach, func(s *script) {
			s.login()
			s.says(tc.says)
		})
		var refused *RefusedError
		if err == nil || errors.As(err, &refused) != tc.final {
			t.Errorf("after %q: %v, final should be %v", tc.says, err, tc.final)
		}
	}
}
