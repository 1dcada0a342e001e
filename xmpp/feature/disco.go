package feature

import (
	"context"
	"slices"

	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/scan"
)

// serverIdentity is what the server is.
var serverIdentity = []Identity{{"server", "im", "Signalbox"}}

// info answers XEP-0030 section 3 for the server and for accounts. Another's account is not told from one that does not exist unless a feature says that the asker
// may know it (section 8).
func info(s *Set) Feature {
	return Feature{Vars: []string{disco.NSInfo}, AccountVars: []string{disco.NSInfo}, Requests: []Request{{
		Namespace: disco.NSInfo, Local: "query", To: Server | Account, Get: func(ctx context.Context, q *Query) Answer {
			node, _ := q.Payload.Attr("node")
			switch {
			case len(node) == 0 && q.To == Server:
				return Answer{Payload: appendInfo(nil, "", serverIdentity, s.vars, s.forms...)}
			case len(node) == 0 && (q.To == Own || slices.ContainsFunc(s.knows, func(f func(context.Context, *Query) bool) bool { return f(ctx, q) })):
				return Answer{Payload: s.AccountInfo()}
			}
			for _, describe := range s.describe {
				if a, ok := describe(ctx, q, string(node)); ok {
					return a
				}
			}
			if q.To == Another {
				return Unavailable()
			}
			return Refuse(stanza.Cancel, stanza.ItemNotFound)
		},
	}}}
}

// AccountInfo returns the disco#info payload of an account, for those who may see it.
func (s *Set) AccountInfo() []byte {
	return appendInfo(nil, "", append([]Identity{{"account", "registered", ""}}, s.identities...), s.accountVars)
}

func appendInfo(b []byte, node string, identities []Identity, vars []string, forms ...Form) []byte {
	b = append(b, "<query xmlns='"+disco.NSInfo+"'"...)
	if node != "" {
		b = scan.AppendAttribute(b, "node", node)
	}
	b = append(b, '>')
	for _, id := range identities {
		b = append(b, "<identity"...)
		b = scan.AppendAttribute(scan.AppendAttribute(b, "category", id.Category), "type", id.Type)
		if id.Name != "" {
			b = scan.AppendAttribute(b, "name", id.Name)
		}
		b = append(b, "/>"...)
	}
	for _, v := range vars {
		b = append(scan.AppendAttribute(append(b, "<feature"...), "var", v), "/>"...)
	}
	return append(appendForms(b, forms), "</query>"...)
}

// items answers XEP-0030 section 4 with what the features list.
func items(s *Set) Feature {
	return Feature{Vars: []string{disco.NSItems}, AccountVars: []string{disco.NSItems}, Requests: []Request{{
		Namespace: disco.NSItems, Local: "query", To: Server | Account, Get: func(ctx context.Context, q *Query) Answer {
			raw, _ := q.Payload.Attr("node")
			node := string(raw)
			var listed []byte
			known := false
			for _, list := range s.list {
				var mine bool
				listed, mine = list(ctx, q, node, listed)
				known = known || mine
			}
			if !known && node != "" && q.To != Another { // of others one learns nothing, not even that there is nothing
				return Refuse(stanza.Cancel, stanza.ItemNotFound)
			}
			b := []byte("<query xmlns='" + disco.NSItems + "'")
			if node != "" {
				b = scan.AppendAttribute(b, "node", node)
			}
			if len(listed) == 0 {
				return Answer{Payload: append(b, "/>"...)}
			}
			return Answer{Payload: append(append(append(b, '>'), listed...), "</query>"...)}
		},
	}}}
}
