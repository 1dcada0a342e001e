package agent

import (
	"runtime"

	"signalbox/internal/signalling"
	"signalbox/xmpp/scan"
)

// answer makes the payload of a result, or names the stanza error.
type answer func(s *session, query scan.Element) (payload, condition string)

// queries are the iq requests of type get that the agent answers, by namespace and name of their child.
var queries = map[[2]string]answer{
	{nsPing, "ping"}:       func(*session, scan.Element) (string, string) { return "", "" },
	{nsDiscoInfo, "query"}: discoInfo,
	{nsVersion, "query"}:   version,
}

func discoInfo(_ *session, query scan.Element) (string, string) {
	if node, ok := query.Attr("node"); ok && len(node) > 0 {
		return "", "item-not-found"
	}
	out := "<query xmlns='" + nsDiscoInfo + "'><identity category='client' type='bot' name='signalbox-agent'/>"
	for _, feature := range [...]string{nsDiscoInfo, nsVersion, nsPush, nsPing, nsReceipts, signalling.Namespace} {
		out += "<feature var='" + feature + "'/>"
	}
	return out + "</query>", ""
}

func version(s *session, _ scan.Element) (string, string) {
	return "<query xmlns='" + nsVersion + "'><name>signalbox-agent</name><version>" + string(scan.AppendText(nil, s.agent.version)) +
		"</version><os>" + runtime.GOOS + "</os></query>", ""
}

// iq answers a request; a result is only a sign of life, and of errors one alone means something.
func (s *session) iq(st *scan.Stanza) {
	kind := string(st.Type())
	if kind == "error" {
		s.unheard(st)
	}
	if kind != "get" && kind != "set" {
		return
	}
	var payload string
	condition := "service-unavailable"
	if kind == "set" && string(st.ChildNamespace()) == signalling.Namespace && st.Children == 1 {
		condition = s.signalled(st)
	} else if f, ok := queries[[2]string{string(st.ChildNamespace()), string(st.ChildLocal())}]; ok && kind == "get" && st.Children == 1 {
		for child := range st.Element().Children() {
			payload, condition = f(s, child)
		}
	}
	kind = "result"
	if condition != "" {
		kind, payload = "error", "<error type='cancel'><"+condition+" xmlns='"+nsStanzas+"'/></error>"
	}
	b := []byte("<iq type='" + kind + "'")
	b = appendAttr(b, "id", st.ID())
	b = appendAttr(b, "to", st.From())
	b = append(b, '>')
	b = append(b, payload...)
	s.stanza(append(b, "</iq>"...))
}

func appendAttr(dst []byte, name string, value []byte) []byte {
	if value == nil {
		return dst
	}
	dst = append(dst, ' ')
	dst = append(dst, name...)
	dst = append(dst, "='"...)
	dst = scan.AppendEscaped(dst, value)
	return append(dst, '\'')
}
