package websocket

import (
	"bytes"
	"fmt"
	"sync"

	"signalbox/xmpp/scan"
)

const (
	closing     = "<close xmlns='" + nsFraming + "'/>"
	declaration = "<?xml"
)

// ownLimits are for what we send: all of it was scanned on its way in, or written by ourselves.
var ownLimits = scan.Limits{Bytes: 1 << 26, Depth: 1 << 10, Attributes: 1 << 10, Namespaces: 1 << 10}

// outward cuts a stream of RFC 6120 that we send into the messages of RFC 7395 section 3.3: one for each element. Between elements it holds nothing. The zero value
// is ready.
type outward struct {
	rest []byte        // of an element that is not complete
	sc   *scan.Scanner // of rest; nil: it was not looked at
	head bool          // sc expects a stream header
	over bool          // the end of the stream came
}

// write takes the next bytes and hands each message to emit, which borrows it.
func (o *outward) write(p []byte, emit func(message []byte, el *scan.Stanza) error) error {
	owned := len(o.rest) > 0
	if owned {
		p = append(o.rest, p...)
	}
	for len(p) > 0 && !o.over {
		n, err := o.next(p, emit)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		p = p[n:]
	}
	switch {
	case len(p) == 0 || o.over:
		o.rest = nil
	case owned:
		o.rest = p
	default:
		o.rest = bytes.Clone(p)
	}
	return nil
}

// next emits the message at the start of p and returns how many bytes stood for it, 0 if it is not complete.
func (o *outward) next(p []byte, emit func([]byte, *scan.Stanza) error) (int, error) {
	if o.sc == nil && !o.begin(p) {
		return 0, nil
	}
	ev, n, err := o.sc.Next(p)
	if err != nil {
		return 0, fmt.Errorf("translate our own stream: %w", err)
	}
	message := []byte(nil)
	switch ev.Kind {
	case scan.NeedMore:
		return 0, nil
	case scan.StreamOpen:
		message = opening(ev.Header)
	case scan.StreamClose:
		message, o.over = []byte(closing), true
	case scan.TopLevel:
		message = ev.Stanza.Raw
		if ev.Stanza.InheritsDefault || ev.Stanza.NeedsRedeclare() {
			message = scan.Restate(make([]byte, 0, n+64), &ev.Stanza, "")
		}
	}
	o.end()
	if message == nil { // white space, which has no place here (section 3.8)
		return n, nil
	}
	return n, emit(message, &ev.Stanza)
}

// insides are scanners inside a stream that has our header, lent for one element each.
var insides = sync.Pool{New: func() any {
	sc := scan.New(ownLimits)
	_, _, _ = sc.Next([]byte("<stream:stream xmlns='" + scan.NamespaceClient + "' xmlns:stream='" + scan.NamespaceStreams + "'>")) // well-formed as it stands here
	return &sc
}}

// begin takes a scanner for the item that begins with p; it is false if p is too short to tell which.
func (o *outward) begin(p []byte) bool {
	if len(p) < len(declaration) && bytes.HasPrefix([]byte(declaration), p) {
		return false
	}
	if o.head = bytes.HasPrefix(p, []byte(declaration)); o.head {
		sc := scan.New(ownLimits)
		o.sc = &sc
		return true
	}
	o.sc = insides.Get().(*scan.Scanner)
	return true
}

// end gives the scanner back.
func (o *outward) end() {
	if !o.head && !o.over {
		insides.Put(o.sc)
	}
	o.sc = nil
}

// opening is the <open/> that our stream header stands for (section 3.4).
func opening(h *scan.Header) []byte {
	b := append(make([]byte, 0, 256), "<open xmlns='"+nsFraming+"'"...)
	b = appendAttribute(b, "version", h.Version)
	b = appendAttribute(b, "xml:lang", h.Lang)
	b = appendAttribute(b, "id", h.ID)
	b = appendAttribute(b, "from", h.From)
	b = appendAttribute(b, "to", h.To)
	return append(b, "/>"...)
}
