// Package reasons names why a stream ends, for every kind of stream: what the scanner and the transport report, and the error that the peer gets.
package reasons

import (
	"errors"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

const nsStreamErrors = "urn:ietf:params:xml:ns:xmpp-streams"

// OfScan names why the scanner refused.
func OfScan(err error) endpoint.Reason {
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

// OfTransport names why a connection closed by itself.
func OfTransport(err error) endpoint.Reason {
	switch {
	case errors.Is(err, transport.ErrSlow):
		return endpoint.ReasonSlowReader
	case errors.Is(err, transport.ErrTLS):
		return endpoint.ReasonTLSFailed
	}
	return endpoint.ReasonConnectionLost
}

// AppendError appends the error of RFC 6120 section 4.9 for this reason: text stands in the condition itself, which only that of section 4.9.3.19 has, an application
// condition beside it.
func AppendError(b []byte, r endpoint.Reason, text, application string) []byte {
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
