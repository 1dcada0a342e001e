package harness

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"signalbox/xmpp/scan"
)

// patience is how long a test waits for what must come; only failing tests wait it out.
const patience = time.Minute

// Stream is a raw XMPP client: it sends bytes and reads one item at a time, and does nothing by itself.
type Stream struct {
	t    *testing.T
	name string
	conn net.Conn
	sc   scan.Scanner
	buf  []byte
	ws   *websocket.Conn // on conn; nil: the stream is one of RFC 6120

	Code int // with which the server closed the WebSocket, -1 for none, once Next says that it is closed

	header scan.Header // the server's last
}

// Connect opens a direct TLS connection.
func (s *Server) Connect(t *testing.T, name string) *Stream {
	t.Helper()
	return s.ConnectAs(t, name, "")
}

// ConnectAs opens a direct TLS connection and shows a certificate with these addresses, comma separated, if there are any.
func (s *Server) ConnectAs(t *testing.T, name, addresses string) *Stream {
	t.Helper()
	c, err := tls.Dial("tcp", s.Addr("tls"), s.ClientTLS(addresses))
	if err != nil {
		t.Fatalf("%s: connect: %v", name, err)
	}
	return newStream(t, name, c)
}

// ConnectThrough opens a direct TLS connection by a dialer of the caller's.
func (s *Server) ConnectThrough(t *testing.T, name string, d *net.Dialer) *Stream {
	t.Helper()
	c, err := (&tls.Dialer{NetDialer: d, Config: s.TLS()}).DialContext(t.Context(), "tcp", s.Addr("tls"))
	if err != nil {
		t.Fatalf("%s: connect: %v", name, err)
	}
	return newStream(t, name, c)
}

// ConnectPlain opens a plain-text connection to the port of STARTTLS.
func (s *Server) ConnectPlain(t *testing.T, name string) *Stream {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr("xmpp"))
	if err != nil {
		t.Fatalf("%s: connect: %v", name, err)
	}
	return newStream(t, name, c)
}

// ConnectLaboratory opens a plain-text connection to the port on which clients log in without TLS.
func (s *Server) ConnectLaboratory(t *testing.T, name string) *Stream {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr("xmpp_plaintext"))
	if err != nil {
		t.Fatalf("%s: connect: %v", name, err)
	}
	return newStream(t, name, c)
}

func newStream(t *testing.T, name string, c net.Conn) *Stream {
	st := &Stream{t: t, name: name, conn: c, sc: scan.New(scan.Limits{Bytes: 4 << 20, Depth: 64, Attributes: 64, Namespaces: 64})}
	t.Cleanup(func() { _ = c.Close() })
	return st
}

// StartTLS upgrades the connection, after <proceed/>.
func (st *Stream) StartTLS(cfg *tls.Config) {
	st.t.Helper()
	c := tls.Client(st.conn, cfg)
	if err := c.HandshakeContext(st.t.Context()); err != nil {
		st.t.Fatalf("%s: TLS: %v", st.name, err)
	}
	st.conn = c
	st.Restart()
}

// TLS returns the state of the connection, nil in plain text.
func (st *Stream) TLS() *tls.ConnectionState {
	c, ok := st.conn.(*tls.Conn)
	if !ok {
		return nil
	}
	state := c.ConnectionState()
	return &state
}

// Restart expects a new stream header from the server.
func (st *Stream) Restart() { st.sc.Reset() }

// Send writes text.
func (st *Stream) Send(text string) {
	st.t.Helper()
	if st.ws != nil {
		if err := st.ws.Write(st.t.Context(), websocket.MessageText, []byte(text)); err != nil {
			st.t.Fatalf("%s: send: %v", st.name, err)
		}
		return
	}
	if _, err := st.conn.Write([]byte(text)); err != nil {
		st.t.Fatalf("%s: send: %v", st.name, err)
	}
}

// Write writes text to the connection; unlike Send it may fail.
func (st *Stream) Write(text string) (int, error) { return st.conn.Write([]byte(text)) }

// Open sends a stream header and returns the features.
func (st *Stream) Open() string {
	st.t.Helper()
	header := "<?xml version='1.0'?><stream:stream to='" + Domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
	if st.ws != nil {
		header = "<open xmlns='" + nsFraming + "' to='" + Domain + "' version='1.0'/>"
	}
	st.Send(header)
	if h := st.Next(); h != "(stream)" {
		st.t.Fatalf("%s: got %s, want a stream header", st.name, h)
	}
	return st.Next()
}

// Next returns the next item: the bytes of a top-level element, "(stream)" for a stream header, "(end)" for its end, "(closed)" when the server closed the
// connection. White space is passed over.
func (st *Stream) Next() string {
	st.t.Helper()
	if st.ws != nil {
		return st.nextMessage()
	}
	for {
		ev, n, err := st.sc.Next(st.buf)
		if err != nil {
			st.t.Fatalf("%s: the server sent %q: %v", st.name, st.buf, err)
		}
		item := string(ev.Stanza.Raw)
		st.buf = st.buf[n:]
		switch ev.Kind {
		case scan.NeedMore:
			if err := st.fill(); err != nil {
				return "(closed)"
			}
		case scan.StreamOpen:
			st.header = *ev.Header
			return "(stream)"
		case scan.StreamClose:
			return "(end)"
		case scan.TopLevel:
			return item
		}
	}
}

func (st *Stream) fill() error {
	st.t.Helper()
	_ = st.conn.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 16<<10)
	n, err := st.conn.Read(b)
	st.buf = append(st.buf, b[:n]...)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		st.t.Fatalf("%s: nothing came for %v", st.name, patience)
	}
	if n > 0 {
		return nil
	}
	return err
}

// Want fails unless the next item contains every piece.
func (st *Stream) Want(pieces ...string) string {
	st.t.Helper()
	got := st.Next()
	for _, p := range pieces {
		if !strings.Contains(got, p) {
			st.t.Fatalf("%s: got %s\nwant something with %s", st.name, got, p)
		}
	}
	return got
}

// Login opens the stream, logs in by PLAIN and binds the resource.
func (st *Stream) Login(id, secret, resource string) {
	st.t.Helper()
	st.Authenticate(id, secret)
	st.Send("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" + resource + "</resource></bind></iq>")
	st.Want("type='result'", fmt.Sprintf("<jid>%s@%s/%s</jid>", id, Domain, resource))
}

// Authenticate opens the stream, logs in by PLAIN and opens it again.
func (st *Stream) Authenticate(id, secret string) {
	st.t.Helper()
	st.Open()
	st.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00"+id+"\x00"+secret)) + "</auth>")
	st.Want("<success")
	st.Restart()
	if f := st.Open(); !strings.Contains(f, "xmpp-bind") {
		st.t.Fatalf("%s: features after login: %s", st.name, f)
	}
}

// Sync waits until the server has dealt with all that was sent, and fails when it sends something else before it says so.
func (st *Stream) Sync() {
	st.t.Helper()
	st.Send("<iq xmlns='jabber:client' type='get' id='sync'><ping xmlns='urn:xmpp:ping'/></iq>")
	st.Want("type='result'", "id='sync'")
}

// Close closes the connection without a word.
func (st *Stream) Close() { _ = st.conn.Close() }
