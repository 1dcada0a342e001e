package attacks

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

const (
	patience = time.Minute
	secret   = "s3cret-1"
	domain   = harness.Domain
	header   = "<?xml version='1.0'?><stream:stream to='" + domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
	ending   = "</stream:stream>"
	nsSASL   = "urn:ietf:params:xml:ns:xmpp-sasl"
)

// Names of listeners.
const (
	directTLS  = "tls"
	startTLS   = "xmpp"
	laboratory = "xmpp_plaintext"
)

// modes are the two ways in which the server routes.
var modes = []string{"managed", "open"}

// start runs a server with these endpoints, whose failed logins take as little time as can be configured.
func start(t *testing.T, mode string, ids []string, changes ...func(*config.Config)) *harness.Server {
	t.Helper()
	s := harness.Start(t, append([]func(*config.Config){func(c *config.Config) {
		c.XMPP.Routing = mode
		c.XMPP.FailureDelay = 100 * time.Millisecond
	}}, changes...)...)
	for _, id := range ids {
		s.Call(t, "POST", "/v1/endpoints", fmt.Sprintf(`{"id":%q,"secret":%q}`, id, secret), 201)
	}
	return s
}

// wire is a client that knows nothing of XML: it sends bytes and looks for bytes in what it gets.
type wire struct {
	t    *testing.T
	conn net.Conn
	seen []byte // since the last mark
}

// dial connects to a listener, by TLS if that is the one for it.
func dial(t *testing.T, s *harness.Server, listener string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr(listener))
	if err == nil && listener == directTLS {
		c = tls.Client(c, s.TLS())
		err = c.(*tls.Conn).HandshakeContext(t.Context())
	}
	if err != nil {
		t.Fatalf("connect to %s: %v", listener, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &wire{t: t, conn: c}
}

// say sends text. The server may have closed before all is written, which is no failure: what it said counts.
func (w *wire) say(text string) {
	_ = w.conn.SetWriteDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(w.conn, text)
}

func (w *wire) read() error {
	_ = w.conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 32<<10)
	n, err := w.conn.Read(buf)
	w.seen = append(w.seen, buf[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

// until reads until the mark has come, and returns and forgets all up to it.
func (w *wire) until(mark string) string {
	w.t.Helper()
	return w.untilMatch(regexp.MustCompile(regexp.QuoteMeta(mark)))
}

// untilMatch is until for a pattern.
func (w *wire) untilMatch(mark *regexp.Regexp) string {
	w.t.Helper()
	for {
		if at := mark.FindIndex(w.seen); at != nil {
			text := string(w.seen[:at[1]])
			w.seen = w.seen[at[1]:]
			return text
		}
		if err := w.read(); err != nil {
			w.t.Fatalf("%v while waiting for %q; what came is %q", err, mark, w.seen[max(0, len(w.seen)-500):])
		}
	}
}

// rest reads until the server has closed the connection and returns all that came; reset says that it was torn down, so that something may be lost.
func (w *wire) rest() (text string, reset bool) {
	w.t.Helper()
	for {
		err := w.read()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			w.t.Fatalf("the connection stays open; the last that came is %q", w.seen[max(0, len(w.seen)-500):])
		}
		if err != nil {
			return string(w.seen), errors.Is(err, syscall.ECONNRESET)
		}
	}
}

// ask sends text and reads until the mark.
func (w *wire) ask(text, mark string) string {
	w.t.Helper()
	w.say(text)
	return w.until(mark)
}

// plain is a login by PLAIN.
func plain(authzid, id, secret string) string {
	return auth("PLAIN", authzid+"\x00"+id+"\x00"+secret)
}

func auth(mechanism, message string) string {
	return "<auth xmlns='" + nsSASL + "' mechanism='" + mechanism + "'>" + base64.StdEncoding.EncodeToString([]byte(message)) + "</auth>"
}

func bind(resource string) string {
	return "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" + resource + "</resource></bind></iq>"
}

// authenticated connects a client that has logged in and not bound.
func authenticated(t *testing.T, s *harness.Server, id string) *wire {
	t.Helper()
	w := dial(t, s, directTLS)
	w.ask(header, "</stream:features>")
	w.ask(plain("", id, secret), "</success>")
	w.ask(header, "</stream:features>")
	return w
}

// bound connects a client with a session.
func bound(t *testing.T, s *harness.Server, id, resource string) *wire {
	t.Helper()
	w := authenticated(t, s, id)
	w.ask(bind(resource), "<jid>"+id+"@"+domain+"/"+resource+"</jid></bind></iq>")
	return w
}

// online connects a client that is available.
func online(t *testing.T, s *harness.Server, id, resource string) *wire {
	t.Helper()
	w := bound(t, s, id, resource)
	w.say("<presence/>")
	w.ping()
	return w
}

const (
	pingText = "<iq type='get' id='alive'><ping xmlns='urn:xmpp:ping'/></iq>"
	pong     = "<iq type='result' id='alive' to='"
)

// ping waits until the server has answered all that was sent, and returns what came meanwhile, the answer to the ping left out.
func (w *wire) ping() string {
	w.t.Helper()
	text := strings.TrimSuffix(w.ask(pingText, pong), pong)
	w.until("</iq>")
	return text
}
