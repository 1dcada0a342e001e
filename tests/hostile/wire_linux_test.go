package hostile

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"signalbox/tests/crash/rig"
)

const (
	header    = "<?xml version='1.0'?><stream:stream to='" + rig.Domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
	bindText  = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
	nsSM      = "urn:xmpp:sm:3"
	startTLS  = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
	pingText  = "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"
	scramText = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biwsbj1wYy0xLHI9MDEyMzQ1Njc4OWFiY2RlZg==</auth>"
)

// errClosed says that the server closed without a stream error.
var errClosed = errors.New("closed without a stream error")

// wire is one connection to the server. It does nothing by itself.
type wire struct {
	net.Conn
	got []byte // read and not looked at
}

// connect opens a TCP connection that ends with ctx.
func (s *stand) connect(ctx context.Context, source, listener string) (*wire, error) {
	return s.connectBy(ctx, dialer(source), s.addr(listener))
}

func (s *stand) connectBy(ctx context.Context, d *net.Dialer, addr string) (*wire, error) {
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(s.login + patience)) // what comes later than that is a fault
	return &wire{Conn: c}, nil
}

// secure makes the TLS handshake.
func (w *wire) secure(ctx context.Context, cfg *tls.Config) error {
	c := tls.Client(w.Conn, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	w.Conn = c
	return nil
}

// abandon closes the TCP connection without a word of TLS.
func (w *wire) abandon() {
	if c, ok := w.Conn.(*tls.Conn); ok {
		_ = c.NetConn().Close()
		return
	}
	_ = w.Close()
}

// connectTLS opens a connection and makes the handshake.
func (s *stand) connectTLS(ctx context.Context, source string) (*wire, error) {
	w, err := s.connect(ctx, source, "tls")
	if err != nil {
		return nil, err
	}
	if err := w.secure(ctx, s.tls); err != nil {
		w.abandon()
		return nil, err
	}
	return w, nil
}

func (w *wire) say(text string) error {
	_, err := io.WriteString(w.Conn, text)
	return err
}

// upTo reads up to and with the next occurrence of text and returns what came before it.
func (w *wire) upTo(text string) (before string, err error) {
	for {
		before, rest, ok := strings.Cut(string(w.got), text)
		if ok {
			w.got = []byte(rest)
			return before, nil
		}
		if err := w.fill(); err != nil {
			return "", fmt.Errorf("wait for %s after %.300q: %w", text, w.got, err)
		}
	}
}

func (w *wire) until(text string) error {
	_, err := w.upTo(text)
	return err
}

func (w *wire) fill() error {
	b := make([]byte, 4096)
	n, err := w.Read(b)
	w.got = append(w.got, b[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

// ask says something and waits for text in the answer.
func (w *wire) ask(say, answer string) error {
	if err := w.say(say); err != nil {
		return err
	}
	return w.until(answer)
}

// login opens the stream, logs in by PLAIN and binds.
func (w *wire) login(id, secret string) error {
	if err := w.authenticate(id, secret); err != nil {
		return err
	}
	return w.ask(bindText, "</iq>")
}

func (w *wire) authenticate(id, secret string) error {
	if err := w.ask(header, "</stream:features>"); err != nil {
		return err
	}
	if err := w.ask(plain(id, secret), "<success"); err != nil {
		return err
	}
	return w.ask(header, "</stream:features>")
}

func plain(id, secret string) string {
	return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00"+id+"\x00"+secret)) + "</auth>"
}

// enter connects an endpoint and logs it in.
func (s *stand) enter(ctx context.Context, source, id string) (*wire, error) {
	w, err := s.connectTLS(ctx, source)
	if err != nil {
		return nil, err
	}
	if err := w.login(id, s.secret(id)); err != nil {
		w.abandon()
		return nil, fmt.Errorf("log in as %s: %w", id, err)
	}
	return w, nil
}

var streamError = regexp.MustCompile(`<stream:error><([a-z-]+) `)

// wantOutcome reads to the end of the stream and fails unless the server ended it with this condition.
func (w *wire) wantOutcome(condition string) error {
	got, err := w.outcome()
	if err == nil && got != condition {
		err = fmt.Errorf("the stream ended with %s, want %s", got, condition)
	}
	return err
}

// wantClosed reads to the end and fails unless the server closed without a word.
func (w *wire) wantClosed() error {
	got, err := w.outcome()
	if err == nil {
		return fmt.Errorf("the stream ended with %s, want a mere close", got)
	}
	if !errors.Is(err, errClosed) {
		return err
	}
	return nil
}

// outcome reads to the end and returns the condition of the stream error by which the server ended the stream.
func (w *wire) outcome() (string, error) {
	const keep = 8 << 10
	var err error
	for err == nil {
		if len(w.got) > 2*keep {
			w.got = append(w.got[:0], w.got[len(w.got)-keep:]...)
		}
		err = w.fill()
	}
	if found := streamError.FindSubmatch(w.got); found != nil {
		return string(found[1]), nil
	}
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return "", fmt.Errorf("the server did not close: %w", err)
	}
	return "", fmt.Errorf("%w: %w", errClosed, err)
}
