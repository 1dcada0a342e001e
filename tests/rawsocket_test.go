package tests

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/tests/harness"
)

// The opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
	final          = 0x80 // bit of the first byte
)

const (
	rawPatience = time.Minute
	framingOpen = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + harness.Domain + "' version='1.0'/>"
)

// rawSocket is a WebSocket of which a test writes every bit.
type rawSocket struct {
	t    *testing.T
	conn *tls.Conn
	br   *bufio.Reader
	resp *http.Response // to the handshake
}

// handshake is a request for a WebSocket; a change is a line that replaces the one of the same header, or takes it away if nothing stands behind the colon.
func handshake(changes ...string) string {
	lines := []string{"Host: " + harness.Domain, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Protocol: xmpp"}
	for _, c := range changes {
		name, value, _ := strings.Cut(c, ":")
		for i, l := range lines {
			if strings.HasPrefix(l, name+":") {
				lines = append(lines[:i], lines[i+1:]...)
				break
			}
		}
		if value != "" {
			lines = append(lines, c)
		}
	}
	return "GET /xmpp-websocket HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// dialWeb opens a connection for HTTP.
func dialWeb(t *testing.T, s *harness.Server) *rawSocket {
	t.Helper()
	return dialWebBy(t, s, "h2", "http/1.1")
}

// dialWebBy opens a connection with these protocols in ALPN.
func dialWebBy(t *testing.T, s *harness.Server, alpn ...string) *rawSocket {
	t.Helper()
	cfg := s.TLS()
	cfg.NextProtos = alpn
	c, err := tls.Dial("tcp", s.Addr("tls"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(rawPatience))
	return &rawSocket{t: t, conn: c, br: bufio.NewReader(c)}
}

// ask sends a request and returns the status of the answer.
func (r *rawSocket) ask(request string) int {
	r.t.Helper()
	r.write(request)
	resp, err := http.ReadResponse(r.br, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.resp = resp
	return resp.StatusCode
}

// openRaw opens a WebSocket.
func openRaw(t *testing.T, s *harness.Server, changes ...string) *rawSocket {
	t.Helper()
	r := dialWeb(t, s)
	if status := r.ask(handshake(changes...)); status != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", status)
	}
	return r
}

// login opens a stream and binds.
func (r *rawSocket) login(id string) {
	r.t.Helper()
	r.text(framingOpen)
	r.until("<stream:features")
	r.text("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + plainResponse(id) + "</auth>")
	r.until("<success")
	r.text(framingOpen)
	r.until("<stream:features")
	r.text("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
	r.until("<jid>")
}

func (r *rawSocket) write(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r.conn, text); err != nil {
		r.t.Fatal(err)
	}
}

// tryFrame sends a masked frame; first is the opcode with its bits.
func (r *rawSocket) tryFrame(first byte, payload string) error {
	_, err := r.conn.Write(frame(first, payload))
	return err
}

func (r *rawSocket) frame(first byte, payload string) {
	r.t.Helper()
	if err := r.tryFrame(first, payload); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rawSocket) text(message string) { r.t.Helper(); r.frame(final|opText, message) }

func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

// next returns the next frame; err is that of the connection.
func (r *rawSocket) next() (first byte, payload string, err error) {
	var head [10]byte
	if _, err = io.ReadFull(r.br, head[:2]); err != nil {
		return 0, "", err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(r.br, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(r.br, head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
	}
	if err != nil {
		return 0, "", err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r.br, b)
	return head[0], string(b), err
}

// until reads messages until one begins with, or contains, this.
func (r *rawSocket) until(piece string) string {
	r.t.Helper()
	for {
		first, payload, err := r.next()
		if err != nil || first == final|opClose {
			r.t.Fatalf("waiting for %s: frame %#x %q, %v", piece, first, payload, err)
		}
		if strings.Contains(payload, piece) {
			return payload
		}
	}
}

// wantEnd reads to the end: a stream error of this condition, <close/>, and the close frame with this code.
func (r *rawSocket) wantEnd(condition string, code uint16) {
	r.t.Helper()
	r.until("<stream:error xmlns:stream='http://etherx.jabber.org/streams'><" + condition + " ")
	if _, payload, err := r.next(); err != nil || payload != "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>" {
		r.t.Fatalf("after the error: %q, %v", payload, err)
	}
	first, payload, err := r.next()
	if err != nil || first != final|opClose || len(payload) < 2 || binary.BigEndian.Uint16([]byte(payload)) != code {
		r.t.Fatalf("frame %#x %q, %v, want a close frame with %d", first, payload, err, code)
	}
	_ = r.tryFrame(final|opClose, payload) // the server may be gone
	if first, payload, err = r.next(); err == nil {
		r.t.Fatalf("frame %#x %q behind the close frame", first, payload)
	}
}
