package xmpp

import (
	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

const (
	nsStanzaErrors = stanza.NSError
	nsHint         = "urn:signalbox:stream:1"
)

// appendReply appends the start tag of the answer to a stanza from the session's owner.
func appendReply(b []byte, st *scan.Stanza, typ, self string) []byte {
	return feature.AppendReply(b, st, typ, self)
}

// stanzaError returns the error answer to a stanza from the session's owner.
func stanzaError(st *scan.Stanza, self string, a feature.Answer) []byte {
	return feature.ErrorReply(st, self, a)
}

var badRequest = feature.Refuse(stanza.Modify, stanza.BadRequest)
