package websocket

import (
	"errors"
	"strconv"

	"signalbox/xmpp/scan"
)

const (
	nsFraming = "urn:ietf:params:xml:ns:xmpp-framing"
	streamEnd = "</stream:stream>"
)

// inward returns what stands in a stream of RFC 6120 for one message of RFC 7395 section 3.3: the element that the message is, and nothing else. Closes says that it
// is the end of the stream. What has no namespace of its own has none in the stream either. The text may be the message itself. An error is always a *scan.Error.
func inward(message []byte, limits scan.Limits) (text []byte, closes bool, err error) {
	el, err := scan.Parse(message, limits)
	switch {
	case err != nil:
		return nil, false, err
	case string(el.Namespace()) != nsFraming:
		if !el.InheritsDefault {
			return message, false, nil
		}
		return scan.Restate(make([]byte, 0, len(message)+len(" xmlns=''")), &el, scan.NamespaceClient), false, nil
	case el.Children > 0:
		return nil, false, errFraming
	case string(el.Local()) == "open":
		return header(&el), false, nil
	case string(el.Local()) == "close":
		return []byte(streamEnd), true, nil
	}
	return nil, false, errFraming
}

var errFraming = &scan.Error{Condition: scan.InvalidXML, Detail: "neither open nor close of the framing"}

// header is the stream header that <open/> stands for (section 3.4).
func header(open *scan.Stanza) []byte {
	version, _ := open.Element().Attr("version")
	b := append(make([]byte, 0, 256), "<stream:stream xmlns='"+scan.NamespaceClient+"' xmlns:stream='"+scan.NamespaceStreams+"'"...)
	b = appendAttribute(b, "to", open.To())
	b = appendAttribute(b, "from", open.From())
	b = appendAttribute(b, "version", version)
	b = appendAttribute(b, "xml:lang", open.Lang())
	return append(b, '>')
}

func appendAttribute[T ~string | ~[]byte](b []byte, name string, value T) []byte {
	if len(value) == 0 {
		return b
	}
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, "='"...)
	b = scan.AppendEscaped(b, value)
	return append(b, '\'')
}

// refusal returns what stands in the stream for a message that is refused: something that the stream refuses for the same reason, whatever it waits for. So every end
// of a stream is decided in one place.
func refusal(err error) string {
	var e *scan.Error
	if !errors.As(err, &e) {
		return "<>"
	}
	switch e.Condition {
	case scan.RestrictedXML:
		return "<!DOCTYPE>"
	case scan.InvalidXML:
		return "<s:stream xmlns:s='" + scan.NamespaceStreams + "'/>"
	case scan.PolicyViolation:
		return crowded()
	}
	return "<>"
}

// crowded is an element with more attributes than any configuration allows.
func crowded() string {
	b := []byte("<a")
	for i := range 65 {
		b = append(b, " a"...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, "=''"...)
	}
	return string(append(b, "/>"...))
}
