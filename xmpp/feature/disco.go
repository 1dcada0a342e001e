package feature

import (
	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/scan"
)

// info answers XEP-0030 section 3 for the server and, by the identity alone, for the sender's own account.
func info(s *Set) Feature {
	return Feature{Namespace: disco.NSInfo, Local: "query", Vars: []string{disco.NSInfo}, Answer: func(r *Request) Answer {
		if r.Set {
			return Unavailable()
		}
		if node, ok := r.Payload.Attr("node"); ok && len(node) > 0 {
			return Refuse(stanza.Cancel, stanza.ItemNotFound)
		}
		b := []byte("<query xmlns='" + disco.NSInfo + "'>")
		if !r.ToServer {
			return Answer{Payload: append(b, "<identity category='account' type='registered'/><feature var='"+disco.NSInfo+"'/></query>"...)}
		}
		b = append(b, "<identity category='server' type='im' name='Signalbox'/>"...)
		for _, v := range s.vars {
			b = append(b, "<feature var='"...)
			b = append(scan.AppendEscaped(b, v), "'/>"...)
		}
		return Answer{Payload: append(b, "</query>"...)}
	}}
}

// items answers XEP-0030 section 4: there are none.
func items() Feature {
	return Feature{Namespace: disco.NSItems, Local: "query", Vars: []string{disco.NSItems}, Answer: func(r *Request) Answer {
		if r.Set {
			return Unavailable()
		}
		b := []byte("<query xmlns='" + disco.NSItems + "'")
		if node, ok := r.Payload.Attr("node"); ok {
			b = append(scan.AppendEscaped(append(b, " node='"...), node), '\'')
		}
		return Answer{Payload: append(b, "/>"...)}
	}}
}
