package pubsub

import (
	"time"

	"mellium.im/xmpp/jid"

	"signalbox/internal/account"
	"signalbox/xmpp/scan"
)

// attribute returns the value of an attribute, empty without it.
func attribute(el scan.Element, name string) string {
	v, _ := el.Attr(name)
	return string(v)
}

// appendOpen appends the start of an element that is about a node, up to where more attributes may stand.
func appendOpen(b []byte, name, node string) []byte {
	b = append(append(b, '<'), name...)
	if node != "" {
		b = scan.AppendAttribute(b, "node", node)
	}
	return b
}

// wrap puts an answer into its pubsub element.
func wrap(namespace string, inner []byte) []byte {
	b := append(make([]byte, 0, len(inner)+64), "<pubsub xmlns='"...)
	b = append(append(b, namespace...), "'>"...)
	return append(append(b, inner...), "</pubsub>"...)
}

// appendItem appends an item with its payload. Its publisher is named where it is not the owner.
func appendItem(b []byte, it *account.NodeItem, owner string) []byte {
	b = scan.AppendAttribute(append(b, "<item"...), "id", it.ID)
	if it.Publisher != owner && it.Publisher != "" {
		b = scan.AppendAttribute(b, "publisher", it.Publisher)
	}
	return append(append(append(b, '>'), it.Payload...), "</item>"...)
}

func appendDelay(b []byte, at time.Time) []byte {
	return append(scan.AppendAttribute(append(b, "<delay xmlns='urn:xmpp:delay'"...), "stamp", at.UTC().Format("2006-01-02T15:04:05.000Z")), "/>"...)
}

// parseJID returns the normal forms of an address.
func parseJID(text string) (bare, full string, ok bool) {
	j, err := jid.Parse(text)
	return j.Bare().String(), j.String(), err == nil && text != ""
}
