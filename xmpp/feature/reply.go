package feature

import (
	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/scan"
)

// AppendReply appends the start tag of the answer to a stanza, of this type: addresses swapped, with the sender's true one, id kept.
func AppendReply(b []byte, st *scan.Stanza, typ, sender string) []byte {
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
	b = scan.AppendEscaped(b, sender)
	return append(b, "'>"...)
}

// ErrorReply returns the error answer of RFC 6120 section 8.3 to a stanza of this sender.
func ErrorReply(st *scan.Stanza, sender string, a Answer) []byte {
	b := AppendReply(make([]byte, 0, 256), st, "error", sender)
	b = append(b, "<error type='"...)
	b = append(b, a.Type...)
	b = append(b, "'><"...)
	b = append(b, a.Condition...)
	b = append(b, " xmlns='"+stanza.NSError+"'/>"...)
	b = append(b, a.Detail...)
	b = append(b, "</error></"...)
	b = append(b, st.Kind.String()...)
	return append(b, '>')
}

// ResultReply returns the answer of an iq with this payload.
func ResultReply(st *scan.Stanza, sender string, payload []byte) []byte {
	b := AppendReply(make([]byte, 0, 256+len(payload)), st, "result", sender)
	return append(append(b, payload...), "</iq>"...)
}

// Answerless reports whether a stanza is of a kind that gets no error: an error, or the answer to a request (RFC 6120 section 8.3.1).
func Answerless(st *scan.Stanza) bool {
	typ := string(st.Type())
	return typ == "error" || typ == "result" && st.Kind == scan.IQ
}
