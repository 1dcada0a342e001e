package command

import (
	"context"

	"mellium.im/xmpp/disco"

	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// items lists what the asker may run (XEP-0050 section 2.2): nothing, which is no error, for most.
func (c *Commands) items(_ context.Context, q *feature.Query, node string, b []byte) ([]byte, bool) {
	if node != nsCommands || q.To == feature.Another {
		return b, false
	}
	if !c.allowed(q.From.Key()) {
		return b, true
	}
	at := c.domain
	if q.To == feature.Own {
		at = q.Account.JID()
	}
	for _, command := range c.list {
		b = scan.AppendAttribute(append(b, "<item"...), "jid", at)
		b = append(scan.AppendAttribute(scan.AppendAttribute(b, "node", command.Node), "name", command.Name), "/>"...)
	}
	return b, true
}

// describe answers disco#info of the list and of what the asker may run (section 2.3).
func (c *Commands) describe(_ context.Context, q *feature.Query, node string) (feature.Answer, bool) {
	if q.To == feature.Another {
		return feature.Answer{}, false
	}
	if node == nsCommands {
		return info(node, "command-list", "Commands", nsCommands), true
	}
	command := c.find(node)
	if command == nil || !c.allowed(q.From.Key()) {
		return feature.Answer{}, false
	}
	return info(node, "command-node", command.Name, nsCommands, nsForms), true
}

func info(node, kind, name string, vars ...string) feature.Answer {
	b := append(scan.AppendAttribute([]byte("<query xmlns='"+disco.NSInfo+"'"), "node", node), "><identity category='automation'"...)
	b = append(scan.AppendAttribute(scan.AppendAttribute(b, "type", kind), "name", name), "/>"...)
	for _, v := range vars {
		b = append(scan.AppendAttribute(append(b, "<feature"...), "var", v), "/>"...)
	}
	return feature.Answer{Payload: append(b, "</query>"...)}
}
