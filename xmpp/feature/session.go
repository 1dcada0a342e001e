package feature

// LegacySession answers the session request of RFC 3921 section 3, which RFC 6121 made needless and some clients still send.
func LegacySession() Feature {
	return Feature{Namespace: "urn:ietf:params:xml:ns:xmpp-session", Local: "session", Answer: func(r *Request) Answer {
		if !r.Set {
			return Unavailable()
		}
		return Answer{}
	}}
}
