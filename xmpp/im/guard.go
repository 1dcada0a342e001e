package im

import (
	"strings"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

const (
	nsDelay    = "urn:xmpp:delay"
	nsStanzaID = "urn:xmpp:sid:0"
	nsCarbons  = "urn:xmpp:carbons:2"
	nsArchive  = "urn:xmpp:mam:2"
)

// forged reports whether a child of a client's stanza says what only the server may say: a delay or a stanza id in the name of the server or of an account here
// (XEP-0203 section 4, XEP-0359 section 3), a copy of somebody's message (XEP-0280 section 11), a page of an archive.
func (s *Service) forged(c scan.Element) bool {
	switch string(c.Namespace()) {
	case nsDelay:
		return s.ours(c, "from")
	case nsStanzaID:
		return string(c.Local()) == "stanza-id" && s.ours(c, "by")
	case nsCarbons:
		return string(c.Local()) == "sent" || string(c.Local()) == "received"
	case nsArchive:
		return string(c.Local()) == "result"
	}
	return false
}

// ours reports whether an attribute names this server or one of its accounts, in whatever spelling.
func (s *Service) ours(c scan.Element, attribute string) bool {
	value, _ := c.Attr(attribute)
	j, err := jid.Parse(string(value))
	return err == nil && strings.TrimSuffix(j.Domainpart(), ".") == s.domain
}

// serverOwned are the namespaces in which clients take orders from their own server alone (attack row 31).
var serverOwned = map[string]bool{"jabber:iq:roster": true, "urn:xmpp:blocking": true, "urn:xmpp:push:0": true, "urn:xmpp:mam:2": true}

// checkIQ refuses what a client may not send to another's client.
func checkIQ(el *scan.Stanza) feature.Answer {
	if string(el.Type()) == "set" && serverOwned[string(el.ChildNamespace())] {
		return feature.Unavailable()
	}
	return checkNested(el)
}

// checkNested refuses a stanza within a stanza: who forwards one (XEP-0297) says whose it is, and receivers believe only their server.
func checkNested(el *scan.Stanza) feature.Answer {
	if el.NestedStanza {
		return feature.Refuse(stanza.Modify, stanza.NotAcceptable)
	}
	return feature.Answer{}
}
