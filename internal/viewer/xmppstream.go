package viewer

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/signalling"
	"signalbox/xmpp/scan"
)

// maxLogin bounds what is read of a login: the library has no limit of its own.
const maxLogin = 64 << 10

var errLoginSize = errors.New("the server sends too much before the technician is in")

// byteConn gives out single bytes, so that the library that logs in never reads ahead, and whoever reads then starts exactly where it stopped.
type byteConn struct {
	*tls.Conn
	r    *bufio.Reader
	left int   // bytes that may be read one by one
	err  error // of the last of them, which the library hides behind a mistake in XML
}

func newByteConn(c *tls.Conn) *byteConn {
	return &byteConn{Conn: c, r: bufio.NewReader(c), left: maxLogin}
}

// Read implements net.Conn.
func (c *byteConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// ReadByte implements io.ByteReader.
func (c *byteConn) ReadByte() (byte, error) {
	if c.left--; c.left < 0 {
		c.err = errLoginSize
		return 0, c.err
	}
	var b byte
	b, c.err = c.r.ReadByte()
	return b, c.err
}

// reader turns the bytes of a stream behind the login into events.
type reader struct {
	src        io.Reader
	sc         scan.Scanner
	buf        []byte
	start, end int // of what is in buf and not used
}

// header begins each stream of clients (RFC 6120 section 4.8): what the scanner has to know of what the library has read.
const header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

func newReader(src io.Reader) (*reader, error) {
	r := &reader{src: src, sc: scan.New(scan.Limits{Bytes: 2 * signalling.MaxMessage, Depth: 16, Attributes: 64, Namespaces: 32}), buf: make([]byte, 4<<10)}
	_, n, err := r.sc.Next([]byte(header))
	if err == nil && n != len(header) {
		err = errors.New("the header of a stream is not understood")
	}
	return r, err
}

// next returns the next event, which is valid until the next call.
func (r *reader) next() (scan.Event, error) {
	for {
		ev, n, err := r.sc.Next(r.buf[r.start:r.end])
		if err != nil {
			return scan.Event{}, &RefusedError{Why: "it speaks another protocol: " + err.Error()}
		}
		if n > 0 {
			r.start += n
			return ev, nil
		}
		if err := r.fill(); err != nil {
			return scan.Event{}, err
		}
	}
}

// fill reads more behind what is not used.
func (r *reader) fill() error {
	switch {
	case r.start > 0:
		copy(r.buf, r.buf[r.start:r.end])
	case r.end == len(r.buf): // the scanner's limit bounds the growth
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	r.start, r.end = 0, r.end-r.start
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	return err
}

// streamError is what the server says before it closes a stream in anger.
func streamError(st *scan.Stanza) error {
	condition := "undefined-condition"
	for c := range st.Element().Children() {
		condition = string(c.Local())
		break
	}
	if slices.Contains([]string{"system-shutdown", "reset", "connection-timeout", "see-other-host", "resource-constraint", "internal-server-error", "policy-violation"}, condition) {
		return fmt.Errorf("the server closes the stream: %s", condition)
	}
	return &RefusedError{Why: condition}
}

// refusal is why the server does not take a message; nil where that does not matter: it came too late, or too early, or the server is busy.
func refusal(st *scan.Stanza) error {
	e := st.Element().Child(scan.NamespaceClient, "error")
	for _, passed := range []string{"unexpected-request", "resource-constraint", "internal-server-error"} {
		if e.Child(stanza.NSError, passed).Exists() {
			return nil
		}
	}
	why := "a message was refused"
	if said := e.Child(signalling.Namespace, "refused"); said.Exists() {
		why += ": " + said.Text()
	}
	return &RefusedError{Why: why}
}
