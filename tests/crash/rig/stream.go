package rig

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"signalbox/xmpp/scan"
)

const (
	nsManagement = "urn:xmpp:sm:3"
	nsPush       = "urn:signalbox:push:1"
)

// stream is an XMPP client's stream.
type stream struct {
	conn net.Conn
	sc   scan.Scanner
	buf  []byte // read and not consumed
}

func newStream(c net.Conn) *stream {
	return &stream{conn: c, sc: scan.New(scan.Limits{Bytes: 1 << 20, Depth: 64, Attributes: 64, Namespaces: 64}), buf: make([]byte, 0, 64<<10)}
}

// buffered returns the next item of what was read; ok is false if it is not complete. The item is good until fill.
func (st *stream) buffered() (ev scan.Event, ok bool, err error) {
	ev, n, err := st.sc.Next(st.buf)
	if err != nil {
		return ev, false, fmt.Errorf("%w: the server sent %q: %w", ErrProtocol, st.buf, err)
	}
	st.buf = st.buf[n:]
	if ev.Kind == scan.TopLevel && ev.Stanza.Is(scan.NamespaceStreams, "error") {
		return ev, true, streamError(&ev.Stanza)
	}
	return ev, ev.Kind != scan.NeedMore, nil
}

// errStopping says that the server is being stopped in order.
var errStopping = errors.New("the server is stopping")

// streamError is the end of a stream: the server's fault unless it stops.
func streamError(st *scan.Stanza) error {
	if st.Element().Child("urn:ietf:params:xml:ns:xmpp-streams", "system-shutdown").Exists() {
		return errStopping
	}
	return fmt.Errorf("%w: stream error %s", ErrProtocol, st.Raw)
}

// fill reads more.
func (st *stream) fill() error {
	if cap(st.buf)-len(st.buf) < 16<<10 {
		st.buf = append(make([]byte, 0, 64<<10+2*len(st.buf)), st.buf...)
	}
	n, err := st.conn.Read(st.buf[len(st.buf):cap(st.buf)])
	st.buf = st.buf[:len(st.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}

// next waits for the next item of a login.
func (st *stream) next() (scan.Event, error) {
	for {
		ev, ok, err := st.buffered()
		if ok || err != nil {
			return ev, err
		}
		if err := st.fill(); err != nil {
			return ev, err
		}
	}
}

// expect waits for an element that contains text.
func (st *stream) expect(text string) error {
	ev, err := st.next()
	if err == nil && (ev.Kind != scan.TopLevel || !strings.Contains(string(ev.Stanza.Raw), text)) {
		err = fmt.Errorf("%w: got %q, want %s", ErrProtocol, ev.Stanza.Raw, text)
	}
	return err
}

// open sends a stream header and waits for features that contain text.
func (st *stream) open(text string) error {
	err := st.send("<?xml version='1.0'?><stream:stream to='" + Domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='" + scan.NamespaceStreams + "'>")
	if err != nil {
		return err
	}
	ev, err := st.next()
	if err != nil {
		return err
	}
	if ev.Kind != scan.StreamOpen {
		return fmt.Errorf("%w: got %q, want a stream header", ErrProtocol, ev.Stanza.Raw)
	}
	return st.expect(text)
}

func (st *stream) send(text string) error {
	_, err := st.conn.Write([]byte(text))
	return err
}

// authenticate logs in by PLAIN, up to the features from which a session is bound or resumed.
func (st *stream) authenticate(id, secret string) error {
	if err := st.conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		return err
	}
	if err := st.open("PLAIN"); err != nil {
		return err
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + id + "\x00" + secret))
	if err := st.ask("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"+plain+"</auth>", "<success"); err != nil {
		return err
	}
	st.sc.Reset()
	return st.open("xmpp-bind")
}

// bind makes a new session, with stream management, and returns the id by which it can be resumed.
func (st *stream) bind() (resume string, err error) {
	if err := st.ask("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "type='result'"); err != nil {
		return "", err
	}
	if err := st.send("<enable xmlns='" + nsManagement + "' resume='true'/>"); err != nil {
		return "", err
	}
	ev, err := st.next()
	if err == nil && (ev.Kind != scan.TopLevel || !ev.Stanza.Is(nsManagement, "enabled")) {
		err = fmt.Errorf("%w: got %q, want enabled", ErrProtocol, ev.Stanza.Raw)
	}
	if err != nil {
		return "", err
	}
	id, _ := ev.Stanza.Element().Attr("id")
	return string(id), nil
}

func (st *stream) ask(text, answer string) error {
	if err := st.send(text); err != nil {
		return err
	}
	return st.expect(answer)
}
