package feature

import (
	"context"
	"slices"

	"signalbox/xmpp/scan"
)

const nsCarbons = "urn:xmpp:carbons:2"

// carbons copies messages to the other clients of an account (XEP-0280).
type carbons struct{ host Host }

// MessageCarbons offers XEP-0280.
func MessageCarbons(host Host) Feature {
	c := &carbons{host: host}
	set := func(on bool) func(context.Context, *Query) Answer {
		return func(_ context.Context, q *Query) Answer {
			q.From.State().Set(Carbons, on)
			return Answer{}
		}
	}
	return Feature{
		Vars: []string{nsCarbons}, AccountVars: []string{nsCarbons},
		Requests: []Request{
			{Namespace: nsCarbons, Local: "enable", To: Own, Set: set(true)},
			{Namespace: nsCarbons, Local: "disable", To: Own, Set: set(false)},
		},
		Outgoing:  c.sent,
		Delivered: c.received,
	}
}

// eligible reports whether other clients get a copy (section 6.1): what people write to each other, and the receipts and states that belong to it.
func eligible(m *Message) bool {
	if m.NoCopy || m.Private || m.Type == "headline" || m.Type == "groupchat" {
		return false
	}
	return m.Type == "chat" || m.Body || m.Answers || m.Typing
}

// sent copies what one client wrote to the others. What an account writes to itself they get as its recipients.
func (c *carbons) sent(_ context.Context, m *Message) {
	if eligible(m) && m.To != m.Sender.Key() {
		c.copy(m, "sent", m.Sender.Key().JID(), c.host.Clients(m.Sender.Key()), []Client{m.Sender})
	}
}

// received copies a message that some clients got to the others. One that was for all is with all of them already.
func (c *carbons) received(_ context.Context, m *Message, to []Client) {
	if eligible(m) {
		c.copy(m, "received", m.To.JID(), m.Recipients, to)
	}
}

func (c *carbons) copy(m *Message, direction, account string, clients, but []Client) {
	for _, other := range clients {
		if !other.State().Has(Carbons) || slices.Contains(but, other) {
			continue
		}
		b := scan.AppendAttribute([]byte("<message"), "from", account)
		b = scan.AppendAttribute(scan.AppendAttribute(b, "to", other.JID()), "type", m.Type)
		b = append(append(append(b, "><"...), direction...), " xmlns='"+nsCarbons+"'>"...)
		b = append(appendForwarded(b, m.Raw(), nil), "</"...)
		other.Send(append(append(b, direction...), "></message>"...))
	}
}

// appendForwarded appends a stanza of jabber:client as XEP-0297 carries it, with a delay element, if there is one, before it.
func appendForwarded(b, raw, delay []byte) []byte {
	b = append(append(b, "<forwarded xmlns='urn:xmpp:forward:0'>"...), delay...)
	return append(scan.Alone(b, raw), "</forwarded>"...)
}
