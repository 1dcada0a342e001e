package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"time"

	"signalbox/internal/bench/scram"
	"signalbox/tests/peers/wire"
)

const (
	loginTimeout = 60 * time.Second
	resource     = "load"
)

// talk is the conversation of a login, one answer awaited after the other.
type talk struct {
	conn *tls.Conn
	buf  []byte
}

// ask sends text and returns the next element that is not a stream header.
func (t *talk) ask(text string) ([]byte, error) {
	if _, err := t.conn.Write([]byte(text)); err != nil {
		return nil, err
	}
	for {
		what, item, used := split(t.buf)
		if what == none {
			if err := t.fill(); err != nil {
				return nil, err
			}
			continue
		}
		t.buf = t.buf[used:]
		switch what {
		case ended:
			return nil, fmt.Errorf("the server ended the stream")
		case header:
		default:
			return item, nil
		}
	}
}

func (t *talk) fill() error {
	b := make([]byte, 2048)
	n, err := t.conn.Read(b)
	t.buf = append(bytes.Clone(t.buf), b[:n]...) // items that were given out stay as they are
	if n > 0 {
		return nil
	}
	return err
}

// expect is ask for an answer that begins as it must.
func (t *talk) expect(text, want string) ([]byte, error) {
	item, err := t.ask(text)
	if err == nil && !bytes.HasPrefix(item, []byte(want)) {
		err = fmt.Errorf("got %s, want %s", item, want)
	}
	return item, err
}

// connect opens a session and leaves a reader with a small stack on it.
func (f *fleet) connect(ctx context.Context, n int, o wire.Order, cfg *tls.Config) (*client, error) {
	from := net.IPv4(127, 0, 0, byte(f.set.source+n%8))
	raw, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}).DialContext(ctx, "tcp", f.set.addr)
	if err != nil {
		return nil, err
	}
	c := &client{fleet: f, n: n, conn: tls.Client(raw, cfg), raw: raw.(*net.TCPConn)}
	deadline, _ := ctx.Deadline()
	_ = raw.SetDeadline(deadline)
	ahead, err := c.negotiate(o)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	c.open.Store(true)
	f.readers.Go(func() { c.read(ahead) }) // ends with the connection, which drop closes
	return c, nil
}

// negotiate goes from the handshake to initial presence, one step after the other as simple clients do, and returns what came ahead.
func (c *client) negotiate(o wire.Order) (ahead []byte, err error) {
	if err := c.conn.Handshake(); err != nil {
		return nil, err
	}
	t := &talk{conn: c.conn}
	open := "<?xml version='1.0'?><stream:stream to='" + c.fleet.set.domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
	features, err := t.ask(open)
	if err != nil {
		return nil, err
	}
	if err := c.authenticate(t, features); err != nil {
		return nil, err
	}
	if _, err := t.expect(open, "<stream:features"); err != nil {
		return nil, err
	}
	bind, err := t.expect("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>"+resource+"</resource></bind></iq>", "<iq")
	if err == nil && !bytes.Contains(bind, []byte(c.address())) {
		err = fmt.Errorf("bind: %s", bind)
	}
	if err == nil && o.Management {
		_, err = t.expect("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<enabled")
		c.managed = true
	}
	if err == nil && o.Presence {
		err = c.write([]byte("<presence/>"))
	}
	return t.buf, err
}

func (c *client) authenticate(t *talk, features []byte) error {
	if !bytes.Contains(features, []byte(">"+scram.Mechanism+"<")) { // another one would make unlike logins look alike
		return fmt.Errorf("%s is not offered: %s", scram.Mechanism, features)
	}
	x := scram.NewExchange(c.fleet.keys)
	challenge, err := t.expect("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='"+scram.Mechanism+"'>"+encode(x.First(userName(c.n)))+"</auth>", "<challenge")
	if err != nil {
		return err
	}
	final, err := x.Final(decode(challenge))
	if err != nil {
		return err
	}
	success, err := t.expect("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"+encode(final)+"</response>", "<success")
	if err != nil {
		return err
	}
	return x.Verify(decode(success))
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// decode returns the text of an element; what is not base64 fails where it is used.
func decode(item []byte) string {
	_, text, _ := bytes.Cut(item, []byte(">"))
	text, _, _ = bytes.Cut(text, []byte("<"))
	b, _ := base64.StdEncoding.DecodeString(string(text))
	return string(b)
}
