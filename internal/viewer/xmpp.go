package viewer

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"mellium.im/sasl"
	mellium "mellium.im/xmpp"
	"mellium.im/xmpp/jid"

	"signalbox/internal/signalling"
	"signalbox/xmpp/scan"
)

const (
	returning  = "reattach:"      // before the secret to come back with, where a token would stand
	hangUp     = 2 * time.Second  // for the end of a stream
	writeAtAll = 10 * time.Second // for a stanza without another deadline
)

// XMPP returns a Call of the XML spelling: an XMPP stream inside TLS, in which the session logs in with its token. dial opens a connection with TLS that is verified for the
// domain and has the ALPN protocol xmpp-client, to its port 443.
func XMPP(domain string, dial func(context.Context) (*tls.Conn, error)) Call {
	return func(ctx context.Context, a signalling.Attach) (Line, error) {
		conn, err := dial(ctx)
		if err != nil {
			return nil, fmt.Errorf("connect to the server: %w", err)
		}
		l := &stream{conn: newByteConn(conn), domain: domain, heard: make(chan struct{}, 1)}
		if err := l.login(ctx, a); err != nil {
			_ = conn.Close() // the error of the login counts
			return nil, err
		}
		return l, nil
	}
}

// stream is a Line on an XMPP stream.
type stream struct {
	conn   *byteConn
	domain string
	in     *reader
	heard  chan struct{} // has something when a stanza came

	writing sync.Mutex
}

// login goes as far as a resource (docs/PROTOCOL.md, "Technicians over XMPP").
func (l *stream) login(ctx context.Context, a signalling.Attach) error {
	at, err := jid.New(a.ID, l.domain, "")
	if err != nil {
		return err
	}
	password := a.Token
	if a.Reattach != "" {
		password = returning + a.Reattach
	}
	unhook := context.AfterFunc(ctx, func() { _ = l.conn.Close() }) // mellium's own deadlines leave gaps
	_, err = mellium.NewSession(context.WithoutCancel(ctx), at.Domain(), at, l.conn, mellium.Secure, mellium.NewNegotiator(func(*mellium.Session, *mellium.StreamConfig) mellium.StreamConfig {
		return mellium.StreamConfig{Features: []mellium.StreamFeature{mellium.SASL("", password, sasl.Plain), mellium.BindResource()}}
	}))
	switch {
	case !unhook():
		return context.Cause(ctx)
	case err != nil:
		return loginError(err, l.conn.err)
	}
	l.in, err = newReader(l.conn)
	return err
}

// loginError makes a RefusedError of what the server itself says. What is about the connection, such as an error in reading from it, may be tried again.
func loginError(err, reading error) error {
	var broken net.Error
	if reading != nil || errors.As(err, &broken) {
		return fmt.Errorf("log in: %w", errors.Join(reading, err))
	}
	return &RefusedError{Why: err.Error()}
}

// Send implements Line. What becomes of the message comes back as any other stanza.
func (l *stream) Send(ctx context.Context, m signalling.Message) error {
	payload, err := signalling.AppendXML(nil, m)
	if err != nil {
		return err
	}
	b := scan.AppendAttribute([]byte("<iq type='set'"), "id", rand.Text())
	b = append(scan.AppendAttribute(b, "to", l.domain), '>')
	return l.write(ctx, append(append(b, payload...), "</iq>"...))
}

func (l *stream) write(ctx context.Context, b []byte) error {
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(writeAtAll)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.conn.SetWriteDeadline(until); err != nil {
		return err
	}
	_, err := l.conn.Write(b)
	return err
}

// Receive implements Line.
func (l *stream) Receive(ctx context.Context) (signalling.Message, error) {
	unhook := context.AfterFunc(ctx, func() { _ = l.conn.Close() })
	defer unhook()
	for {
		ev, err := l.in.next()
		select {
		case l.heard <- struct{}{}:
		default:
		}
		switch {
		case err != nil:
			return nil, err
		case ev.Kind == scan.StreamClose:
			return nil, &RefusedError{Why: "the session is over"}
		case ev.Kind != scan.TopLevel:
			continue
		}
		if m, err := l.take(ctx, &ev.Stanza); m != nil || err != nil {
			return m, err
		}
	}
}

// take answers a stanza, and returns the message in it; nil: there is none.
func (l *stream) take(ctx context.Context, st *scan.Stanza) (signalling.Message, error) {
	if st.Is(scan.NamespaceStreams, "error") {
		return nil, streamError(st)
	}
	switch string(st.Type()) {
	case "error":
		return nil, refusal(st)
	case "headline":
		return notice(st), nil
	case "set":
	default:
		return nil, nil // the answer to one of ours
	}
	answer := scan.AppendAttribute([]byte("<iq type='result'"), "id", string(st.ID()))
	answer = append(scan.AppendAttribute(answer, "to", l.domain), "/>"...)
	for el := range st.Element().Children() {
		m, err := signalling.ParseXML(el, signalling.ToTechnician)
		if err != nil {
			return nil, &RefusedError{Why: "it speaks another protocol: " + err.Error()}
		}
		return m, l.write(ctx, answer)
	}
	return nil, nil
}

// notice returns what the server says without asking for an answer; nil: it is nothing that is known here, and need not be.
func notice(st *scan.Stanza) signalling.Message {
	for el := range st.Element().Children() {
		if m, err := signalling.ParseXML(el, signalling.ToTechnician); err == nil {
			return m
		}
	}
	return nil
}

// Check implements Line (XEP-0199).
func (l *stream) Check(ctx context.Context) {
	select {
	case <-l.heard: // of before
	default:
	}
	b := scan.AppendAttribute([]byte("<iq type='get'"), "id", rand.Text())
	b = append(scan.AppendAttribute(b, "to", l.domain), "><ping xmlns='urn:xmpp:ping'/></iq>"...)
	if l.write(ctx, b) == nil {
		select {
		case <-l.heard:
			return
		case <-ctx.Done():
		}
	}
	_ = l.conn.Close() // whoever waits for a stanza hears of it
}

// Close implements Line.
func (l *stream) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), hangUp)
	defer cancel()
	_ = l.write(ctx, []byte("</stream:stream>")) // it may be gone
	return l.conn.Close()
}
