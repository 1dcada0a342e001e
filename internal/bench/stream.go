package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"signalbox/internal/bench/scram"
	"signalbox/xmpp/scan"
)

const (
	nsManagement = "urn:xmpp:sm:3"
	nsSASL       = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsPush       = "urn:signalbox:push:1"
)

// stream is an XMPP client's stream.
type stream struct {
	conn *tls.Conn
	raw  *net.TCPConn
	sc   scan.Scanner
	buf  []byte // read and not consumed
}

// dial connects and makes the handshake.
func dial(ctx context.Context, addr string, cfg *tls.Config) (*stream, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	raw, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(errors.New("not TCP"), conn.Close())
	}
	st := &stream{conn: tls.Client(conn, cfg), raw: raw, sc: scan.New(scan.Limits{Bytes: 1 << 20})}
	if err := st.conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS with %s: %w", addr, err), conn.Close())
	}
	return st, nil
}

// cut ends the connection by a reset, without a word.
func (st *stream) cut() {
	_ = st.raw.SetLinger(0)
	_ = st.raw.Close()
}

// next waits for the next item; what it returns is good until the call after it.
func (st *stream) next() (scan.Event, error) {
	for {
		ev, n, err := st.sc.Next(st.buf)
		if err != nil {
			return ev, fmt.Errorf("the server sent what is no XMPP: %w", err)
		}
		st.buf = st.buf[n:]
		switch ev.Kind {
		case scan.Whitespace:
			continue
		case scan.NeedMore:
			if err := st.fill(); err != nil {
				return ev, err
			}
			continue
		case scan.StreamClose:
			return ev, errEnded
		}
		if ev.Kind == scan.TopLevel && ev.Stanza.Is(scan.NamespaceStreams, "error") {
			return ev, fmt.Errorf("%w: %.200s", errEnded, ev.Stanza.Raw)
		}
		return ev, nil
	}
}

var errEnded = errors.New("the server ended the stream")

// fill reads more, with as little memory as an idle session needs.
func (st *stream) fill() error {
	const room = 1 << 10
	if cap(st.buf)-len(st.buf) < room {
		st.buf = append(make([]byte, 0, max(2*room, 2*len(st.buf))), st.buf...)
	}
	n, err := st.conn.Read(st.buf[len(st.buf):cap(st.buf)])
	st.buf = st.buf[:len(st.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}

func (st *stream) send(text string) error {
	_, err := st.conn.Write([]byte(text))
	return err
}

// ask sends text and returns the answer, which must have this name.
func (st *stream) ask(text, name string) (scan.Event, error) {
	if err := st.send(text); err != nil {
		return scan.Event{}, err
	}
	ev, err := st.next()
	if err == nil && (ev.Kind != scan.TopLevel || string(ev.Stanza.Local()) != name) {
		err = fmt.Errorf("got %.200s, want %s", ev.Stanza.Raw, name)
	}
	return ev, err
}

// open sends a stream header and waits for the features.
func (st *stream) open(domain string) error {
	header := "<?xml version='1.0'?><stream:stream to='" + domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='" + scan.NamespaceStreams + "'>"
	if err := st.send(header); err != nil {
		return err
	}
	if _, err := st.next(); err != nil {
		return err
	}
	_, err := st.next()
	return err
}

// authenticate logs in by SCRAM-SHA-256, as endpoints do.
func (st *stream) authenticate(domain, id string, keys *scram.Keychain) error {
	if err := st.open(domain); err != nil {
		return err
	}
	x := scram.NewExchange(keys)
	challenge, err := st.ask("<auth xmlns='"+nsSASL+"' mechanism='"+scram.Mechanism+"'>"+encode(x.First(id))+"</auth>", "challenge")
	if err != nil {
		return err
	}
	final, err := x.Final(decode(challenge))
	if err != nil {
		return err
	}
	success, err := st.ask("<response xmlns='"+nsSASL+"'>"+encode(final)+"</response>", "success")
	if err != nil {
		return err
	}
	if err := x.Verify(decode(success)); err != nil {
		return err
	}
	st.sc.Reset()
	return st.open(domain)
}

// bind makes a session with stream management and returns the id by which it can be resumed.
func (st *stream) bind() (resume string, err error) {
	const bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>bench</resource></bind></iq>"
	if _, err := st.ask(bind, "iq"); err != nil {
		return "", err
	}
	enabled, err := st.ask("<enable xmlns='"+nsManagement+"' resume='true'/>", "enabled")
	if err != nil {
		return "", err
	}
	id, _ := enabled.Stanza.Element().Attr("id")
	resume = string(id)
	return resume, st.send("<presence/>")
}

// resume takes a session up again that had received so many stanzas; it is not ok if the server knows it no longer.
func (st *stream) resume(id string, received uint32) (ok bool, err error) {
	if err := st.send("<resume xmlns='" + nsManagement + "' previd='" + id + "' h='" + strconv.FormatUint(uint64(received), 10) + "'/>"); err != nil {
		return false, err
	}
	ev, err := st.next()
	return err == nil && ev.Kind == scan.TopLevel && ev.Stanza.Is(nsManagement, "resumed"), err
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// decode returns the text of an element; what is not base64 fails where it is used.
func decode(ev scan.Event) string {
	b, _ := base64.StdEncoding.DecodeString(ev.Stanza.Element().Text())
	return string(bytes.TrimSpace(b))
}

// loginTimeout bounds a login.
const loginTimeout = time.Minute
