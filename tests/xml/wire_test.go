package xml

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

const (
	patience    = time.Minute
	secret      = "s3cret-1"
	streamsEnd  = "</stream:stream>"
	plainHeader = "<?xml version='1.0'?><stream:stream to='" + harness.Domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)

// jidOf is the address that wires bind.
func jidOf(id string) string { return id + "@" + harness.Domain + "/wire" }

// startOpen runs a server that hands stanzas from endpoint to endpoint, without bounds on how many, and as deep as can be configured.
func startOpen(t *testing.T) *harness.Server {
	t.Helper()
	s := harness.Start(t, func(c *config.Config) {
		c.XMPP.Routing = "open"
		c.XMPP.MaxDepth = 256
		c.XMPP.StanzasPerSec, c.XMPP.BytesPerSec = 1e6, 1<<30
		c.XMPP.QueueBytes = 16 << 20
	})
	for _, id := range []string{"pc-a", "pc-b"} {
		s.Call(t, "POST", "/v1/endpoints", fmt.Sprintf(`{"id":%q,"secret":%q}`, id, secret), 201)
	}
	return s
}

// wire is an endpoint that knows nothing of XML: it sends bytes and looks for bytes in what it gets.
type wire struct {
	t    *testing.T
	id   string
	conn net.Conn
	sent []byte // since the last stream header, that one included
	seen []byte // since the last stream header, that one included
	from int    // until looks no further back
	num  int    // of pings
}

func connect(t *testing.T, s *harness.Server, id string) *wire {
	t.Helper()
	c, err := tls.Dial("tcp", s.Addr("tls"), s.TLS())
	if err != nil {
		t.Fatalf("%s: connect: %v", id, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &wire{t: t, id: id, conn: c}
}

// online connects an endpoint that begins its stream with this header once it has logged in, and binds.
func online(t *testing.T, s *harness.Server, id, header string) *wire {
	t.Helper()
	w := connect(t, s, id)
	w.authenticate(header)
	w.say("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>wire</resource></bind></iq>")
	w.until("<jid>"+jidOf(id)+"</jid>", "</iq>")
	w.say("<presence/>")
	w.ping() // nothing is handed to who is not available
	return w
}

func (w *wire) authenticate(header string) {
	w.t.Helper()
	w.say(plainHeader)
	w.until("</stream:features>")
	w.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00"+w.id+"\x00"+secret)) + "</auth>")
	w.until("</success>")
	w.sent, w.seen, w.from = nil, nil, 0
	w.say(header)
	w.until("</stream:features>")
}

func (w *wire) say(text string) {
	w.t.Helper()
	w.sent = append(w.sent, text...)
	if _, err := w.conn.Write([]byte(text)); err != nil {
		w.t.Fatalf("%s: send %.300q: %v; it got %.300q", w.id, text, err, w.seen[w.from:])
	}
}

// until reads until each mark has come, one behind the other.
func (w *wire) until(marks ...string) {
	w.t.Helper()
	for _, m := range marks {
		for {
			if i := bytes.Index(w.seen[w.from:], []byte(m)); i >= 0 {
				w.from += i + len(m)
				break
			}
			w.from = max(w.from, len(w.seen)-len(m)) // where it is not yet, it will not be
			if err := w.read(); err != nil {
				w.t.Fatalf("%s: %v while it waits for %q; the last that came is %q", w.id, err, m, w.seen[max(0, len(w.seen)-500):])
			}
		}
	}
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

// last reads until the server has closed the connection and returns all that came on this stream.
func (w *wire) last() string {
	w.t.Helper()
	for {
		err := w.read()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			w.t.Fatalf("%s: the connection stays open; the last that came is %q", w.id, w.seen[max(0, len(w.seen)-500):])
		}
		if err != nil {
			return string(w.seen)
		}
	}
}

// ping waits until the server has answered all that was sent, and so has handed on all that it will.
func (w *wire) ping() {
	w.t.Helper()
	w.num++
	w.say(fmt.Sprintf("<iq type='get' id='ping-%d'><ping xmlns='urn:xmpp:ping'/></iq>", w.num))
	w.until(fmt.Sprintf("id='ping-%d'", w.num), ">")
}

// received is the stream that this endpoint got, as a document.
func (w *wire) received() []byte { return closed(w.seen) }

// said is the stream that this endpoint sent, as a document.
func (w *wire) said() []byte { return closed(w.sent) }

func closed(stream []byte) []byte {
	if strings.HasSuffix(string(stream), streamsEnd) {
		return stream
	}
	return append(bytes.Clone(stream), streamsEnd...)
}
