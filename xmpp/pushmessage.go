package xmpp

import (
	"bytes"

	"signalbox/internal/push"
	"signalbox/xmpp/scan"
)

// encodeMessage is the wire form of a push that is a message: as it was posted, with the id of the push where it has none of its own.
func encodeMessage(p push.Push, delayed bool) []byte {
	name, raw := p.SplitMessage()
	if name == "" {
		raw = withID(raw, p.ID.String())
	}
	if !delayed {
		return raw
	}
	el, err := scan.ParseInStream(raw, scan.Accepted)
	if err != nil {
		return raw // it was read when it came
	}
	return scan.Edit{From: p.To.Domain, Append: appendDelay(nil, p)}.AppendTo(make([]byte, 0, len(raw)+128), &el)
}

// withID returns an element without an id with this one.
func withID(raw []byte, id string) []byte {
	nameEnd := bytes.IndexAny(raw, " \t\r\n/>")
	if nameEnd < 0 {
		return raw
	}
	b := append(make([]byte, 0, len(raw)+len(id)+8), raw[:nameEnd]...)
	return append(scan.AppendAttribute(b, "id", id), raw[nameEnd:]...)
}
