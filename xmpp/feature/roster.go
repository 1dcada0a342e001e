package feature

import "mellium.im/xmpp/stanza"

// ManagedRoster answers RFC 6121 section 2 where the server manages rosters: they are empty, and users cannot edit them.
func ManagedRoster() Feature {
	const ns = "jabber:iq:roster"
	payload := []byte("<query xmlns='" + ns + "'/>")
	return Feature{Namespace: ns, Local: "query", Answer: func(r *Request) Answer {
		switch {
		case r.ToServer:
			return Unavailable()
		case r.Set:
			return Refuse(stanza.Cancel, stanza.NotAllowed)
		}
		return Answer{Payload: payload}
	}}
}
