package doctor

import (
	"errors"
	"io"
	"net"

	"signalbox/xmpp/scan"
)

const (
	nsTLS     = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsSASL2   = "urn:xmpp:sasl:2"
	nsStreams = "urn:ietf:params:xml:ns:xmpp-streams"
)

// answerLimits bound what a port may say.
var answerLimits = scan.Limits{Bytes: 64 << 10}

// features are what a stream offers before login.
type features struct {
	startTLS   bool
	mechanisms []string // of SASL, in the order of the server
	sasl2      bool
}

// conversation is the client's side of one stream, up to its features.
type conversation struct {
	conn net.Conn
	sc   scan.Scanner
	buf  []byte // read and not consumed
}

func converse(conn net.Conn) *conversation {
	return &conversation{conn: conn, sc: scan.New(answerLimits)}
}

// open sends a stream header and returns what the server offers (RFC 6120 section 4.3).
func (c *conversation) open(domain string) (features, *trouble) {
	// The line break has programs that read lines answer, too.
	header := append([]byte("<?xml version='1.0'?>\n<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='"),
		scan.AppendEscaped(nil, domain)...)
	if t := c.say(append(header, "'>"...)); t != nil {
		return features{}, t
	}
	ev, t := c.hear()
	if t != nil {
		return features{}, t
	}
	if ev.Kind != scan.StreamOpen || !ev.Header.IsStream() {
		return features{}, foreign("answers XML that is no stream")
	}
	if ev, t = c.hear(); t != nil {
		return features{}, t
	}
	el := ev.Stanza.Element()
	switch {
	case el.Is(scan.NamespaceStreams, "error"):
		return features{}, streamError(el, domain)
	case !el.Is(scan.NamespaceStreams, "features"):
		return features{}, foreign("answers no stream features")
	}
	return readFeatures(el), nil
}

func readFeatures(el scan.Element) features {
	f := features{startTLS: el.Child(nsTLS, "starttls").Exists(), sasl2: el.Child(nsSASL2, "authentication").Exists()}
	for m := range el.Child(nsSASL, "mechanisms").Children() {
		if m.Is(nsSASL, "mechanism") {
			f.mechanisms = append(f.mechanisms, m.Text())
		}
	}
	return f
}

// streamError names the condition with which the server ended the stream (RFC 6120 section 4.9).
func streamError(el scan.Element, domain string) *trouble {
	condition := "without a condition"
	for c := range el.Children() {
		if string(c.Namespace()) == nsStreams && !c.Is(nsStreams, "text") {
			condition = string(c.Local())
			break
		}
	}
	if condition == "host-unknown" {
		return &trouble{code: HostUnknown, detail: "does not serve the domain " + domain + " (host-unknown)", action: "restart the server, so that it takes domain as it is now"}
	}
	return &trouble{code: StreamRefused, detail: "ends the stream with " + condition, action: "see the server's log for the reason"}
}

// askForTLS opens a stream in plain text and asks for TLS (RFC 6120 section 5.4).
func askForTLS(conn net.Conn, domain string) *trouble {
	c := converse(conn)
	f, t := c.open(domain)
	if t != nil {
		return t
	}
	if !f.startTLS {
		return foreign("offers no STARTTLS")
	}
	if t := c.say([]byte("<starttls xmlns='" + nsTLS + "'/>")); t != nil {
		return t
	}
	ev, t := c.hear()
	if t != nil {
		return t
	}
	if !ev.Stanza.Is(nsTLS, "proceed") || len(c.buf) > 0 {
		return &trouble{code: StreamRefused, detail: "refuses STARTTLS", action: "see the server's log for the reason"}
	}
	return nil
}

func (c *conversation) say(text []byte) *trouble {
	if _, err := c.conn.Write(text); err != nil {
		return unanswered(err)
	}
	return nil
}

// hear returns the next stream header or top-level element, which is valid until the next call; the connection's deadline bounds the wait.
func (c *conversation) hear() (scan.Event, *trouble) {
	for {
		ev, n, err := c.sc.Next(c.buf)
		if err != nil {
			return scan.Event{}, foreign("answers something that is no XMPP")
		}
		c.buf = c.buf[n:]
		switch {
		case n > 0 && ev.Kind == scan.Whitespace:
		case n > 0 && ev.Kind == scan.StreamClose:
			return scan.Event{}, unanswered(io.EOF)
		case n > 0:
			return ev, nil
		default:
			more := make([]byte, 4<<10)
			read, err := c.conn.Read(more)
			if c.buf = append(c.buf[:len(c.buf):len(c.buf)], more[:read]...); read > 0 {
				continue
			}
			if errors.Is(err, io.EOF) {
				err = errors.New("it ends before a stream begins")
			}
			return scan.Event{}, unanswered(err)
		}
	}
}
