package path

import (
	"bytes"
	"errors"
	"fmt"

	"signalbox/xmpp/scan"
)

const (
	nsFraming   = "urn:ietf:params:xml:ns:xmpp-framing"
	streamEnd   = "</stream:stream>"
	declaration = "<?xml"
)

var errFraming = errors.New("the server sent neither open nor close of the framing")

// inward returns what stands in a stream of RFC 6120 for one message of RFC 7395 section 3.3.
func inward(message []byte) ([]byte, error) {
	el, err := scan.Parse(message, messageLimits)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read a message: %w", err)
	case string(el.Namespace()) != nsFraming && !el.InheritsDefault:
		return message, nil
	case string(el.Namespace()) != nsFraming:
		return scan.Restate(make([]byte, 0, len(message)+len(" xmlns=''")), &el, scan.NamespaceClient), nil
	case string(el.Local()) == "open" && el.Children == 0:
		return header(&el), nil
	case string(el.Local()) == "close" && el.Children == 0:
		return []byte(streamEnd), nil
	}
	return nil, errFraming
}

// header is the stream header that <open/> stands for (section 3.4).
func header(open *scan.Stanza) []byte {
	version, _ := open.Element().Attr("version")
	b := append(make([]byte, 0, 256), "<stream:stream xmlns='"+scan.NamespaceClient+"' xmlns:stream='"+scan.NamespaceStreams+"'"...)
	b = appendAttribute(b, "to", open.To())
	b = appendAttribute(b, "from", open.From())
	b = appendAttribute(b, "id", open.ID())
	b = appendAttribute(b, "version", version)
	b = appendAttribute(b, "xml:lang", open.Lang())
	return append(b, '>')
}

// appendAttribute appends an attribute that has a value.
func appendAttribute[T ~string | ~[]byte](b []byte, name string, value T) []byte {
	if len(value) == 0 {
		return b
	}
	return scan.AppendAttribute(b, name, value)
}

// ownLimits are for what the agent sends, which it wrote itself.
var ownLimits = scan.Limits{Bytes: 1 << 23, Depth: 64, Attributes: 64, Namespaces: 64}

// outward cuts a stream of RFC 6120 into the messages of RFC 7395 section 3.3: one for each element. The zero value is ready.
type outward struct {
	rest []byte // of an item that is not complete
	over bool   // the end of the stream came
}

// write takes the next bytes and hands each message to emit, which borrows it.
func (o *outward) write(p []byte, emit func(message []byte) error) error {
	o.rest = append(o.rest, p...)
	done := 0
	for done < len(o.rest) && !o.over {
		n, message, err := o.next(o.rest[done:])
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		done += n
		if message == nil { // white space, which has no place here (section 3.8)
			continue
		}
		if err := emit(message); err != nil {
			return err
		}
	}
	o.rest = append(o.rest[:0], o.rest[done:]...)
	return nil
}

// next returns the message at the start of p and how many bytes stand for it, 0 if it is not complete.
func (o *outward) next(p []byte) (int, []byte, error) {
	if len(p) < len(declaration) && bytes.HasPrefix([]byte(declaration), p) {
		return 0, nil, nil
	}
	sc := scan.New(ownLimits)
	if !bytes.HasPrefix(p, []byte(declaration)) { // inside our stream
		_, _, _ = sc.Next([]byte("<stream:stream xmlns='" + scan.NamespaceClient + "' xmlns:stream='" + scan.NamespaceStreams + "'>")) // well-formed as it stands here
	}
	ev, n, err := sc.Next(p)
	if err != nil {
		return 0, nil, fmt.Errorf("translate our own stream: %w", err)
	}
	switch ev.Kind {
	case scan.StreamOpen:
		return n, opening(ev.Header), nil
	case scan.StreamClose:
		o.over = true
		return n, []byte("<close xmlns='" + nsFraming + "'/>"), nil
	case scan.TopLevel:
		return n, scan.Restate(make([]byte, 0, n+64), &ev.Stanza, ""), nil
	}
	return n, nil, nil
}

// opening is the <open/> that our stream header stands for (section 3.4).
func opening(h *scan.Header) []byte {
	b := append(make([]byte, 0, 256), "<open xmlns='"+nsFraming+"'"...)
	b = appendAttribute(b, "version", h.Version)
	b = appendAttribute(b, "xml:lang", h.Lang)
	b = appendAttribute(b, "from", h.From)
	b = appendAttribute(b, "to", h.To)
	return append(b, "/>"...)
}
