package xmpp

import (
	"errors"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

const (
	nsStreamErrors = "urn:ietf:params:xml:ns:xmpp-streams"
	nsStanzaErrors = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsHint         = "urn:signalbox:stream:1"
)

// reasonOfScan names why the scanner refused.
func reasonOfScan(err error) endpoint.Reason {
	var e *scan.Error
	if !errors.As(err, &e) {
		return endpoint.ReasonInternal
	}
	switch e.Condition {
	case scan.RestrictedXML:
		return endpoint.ReasonRestrictedXML
	case scan.PolicyViolation:
		return endpoint.ReasonTooBig
	case scan.UnsupportedEncoding:
		return endpoint.ReasonEncoding
	case scan.InvalidXML:
		return endpoint.ReasonInvalidXML
	}
	return endpoint.ReasonNotWellFormed
}

// reasonOfTransport names why a connection closed by itself.
func reasonOfTransport(err error) endpoint.Reason {
	switch {
	case errors.Is(err, transport.ErrSlow):
		return endpoint.ReasonSlowReader
	case errors.Is(err, transport.ErrTLS):
		return endpoint.ReasonTLSFailed
	}
	return endpoint.ReasonConnectionLost
}

// appendStreamError appends the error of RFC 6120 section 4.9 for this reason: text stands in the condition itself, which only that of section 4.9.3.19 has, an
// application condition beside it.
func appendStreamError(b []byte, r endpoint.Reason, text, application string) []byte {
	b = append(b, "<stream:error><"...)
	b = append(b, r.Condition...)
	b = append(b, " xmlns='"+nsStreamErrors+"'"...)
	if text == "" {
		b = append(b, "/>"...)
	} else {
		b = scan.AppendText(append(b, '>'), text)
		b = append(append(append(b, "</"...), r.Condition...), '>')
	}
	b = append(b, application...)
	return append(b, "</stream:error>"...)
}

// appendReply appends the start tag of the answer to a stanza from the session's owner: addresses swapped, id kept.
func appendReply(b []byte, st *scan.Stanza, typ, self string) []byte {
	b = append(b, '<')
	b = append(b, st.Kind.String()...)
	b = append(b, " type='"...)
	b = append(b, typ...)
	if id := st.ID(); id != nil {
		b = append(b, "' id='"...)
		b = scan.AppendEscaped(b, id)
	}
	if to := st.To(); len(to) > 0 {
		b = append(b, "' from='"...)
		b = scan.AppendEscaped(b, to)
	}
	b = append(b, "' to='"...)
	b = scan.AppendEscaped(b, self)
	return append(b, "'>"...)
}

// stanzaError returns the error answer of RFC 6120 section 8.3.
func stanzaError(st *scan.Stanza, self string, a feature.Answer) []byte {
	b := appendReply(make([]byte, 0, 256), st, "error", self)
	b = append(b, "<error type='"...)
	b = append(b, a.Type...)
	b = append(b, "'><"...)
	b = append(b, a.Condition...)
	b = append(b, " xmlns='"+nsStanzaErrors+"'/>"...)
	b = append(b, a.Detail...)
	b = append(b, "</error></"...)
	b = append(b, st.Kind.String()...)
	return append(b, '>')
}

var badRequest = feature.Refuse(stanza.Modify, stanza.BadRequest)
