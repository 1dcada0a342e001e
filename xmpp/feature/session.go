package feature

// LegacySession answers the session request of RFC 3921 section 3, which RFC 6121 made needless and some clients still send.
func LegacySession() Feature {
	const ns = "urn:ietf:params:xml:ns:xmpp-session"
	return Feature{
		Stream:   "<session xmlns='" + ns + "'><optional/></session>",
		Requests: []Request{{Namespace: ns, Local: "session", To: Server | Own, Set: nothing}},
	}
}
