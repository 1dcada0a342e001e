package command

import (
	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// action is what a client wants of a stage (XEP-0050 section 4.2).
type action string

const (
	execute  action = "execute"
	previous action = "prev"
	next     action = "next"
	complete action = "complete"
	cancel   action = "cancel"
)

// request is what the attributes of <command/> say.
type request struct {
	node    string
	session string // empty: a new one
	action  action
}

// trouble is a condition of XEP-0050 section 4.4.
type trouble string

const (
	badAction       trouble = "bad-action"
	malformedAction trouble = "malformed-action"
	badLocale       trouble = "bad-locale"
	badPayload      trouble = "bad-payload"
	badSession      trouble = "bad-sessionid"
	sessionExpired  trouble = "session-expired"
)

// refuse is the error that section 4.4 has for the trouble.
func refuse(t trouble) feature.Answer {
	a := feature.Refuse(stanza.Modify, stanza.BadRequest)
	if t == sessionExpired {
		a = feature.Refuse(stanza.Cancel, stanza.NotAllowed)
	}
	a.Detail = "<" + string(t) + " xmlns='" + nsCommands + "'/>"
	return a
}

// Bounds of what a client may send.
const (
	maxNodeBytes    = 256
	maxSessionBytes = 64
	maxLocaleBytes  = 64
)

func readRequest(el scan.Element) (r request, refusal feature.Answer) {
	node, _ := el.Attr("node")
	id, _ := el.Attr("sessionid")
	act, given := el.Attr("action")
	locale, spoken := el.Attr("xml:lang")
	r = request{node: string(node), session: string(id), action: action(act)}
	if !given {
		r.action = execute // section 3.3
	}
	switch {
	case len(node) == 0 || len(node) > maxNodeBytes:
		return r, feature.Refuse(stanza.Cancel, stanza.ItemNotFound)
	case len(id) > maxSessionBytes:
		return r, refuse(badSession)
	case spoken && !isLanguage(locale):
		return r, refuse(badLocale)
	}
	switch r.action {
	case execute, previous, next, complete, cancel:
		return r, feature.Answer{}
	}
	return r, refuse(malformedAction)
}

// isLanguage reports whether text may be a language tag (RFC 5646 section 2.1), or says that there is none. Whatever it names, we answer in English.
func isLanguage(text []byte) bool {
	if len(text) > maxLocaleBytes {
		return false
	}
	subtag := 0
	for i, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			subtag++
		case c == '-' && subtag > 0 && i < len(text)-1:
			subtag = 0
		default:
			return false
		}
		if subtag > 8 {
			return false
		}
	}
	return true
}
