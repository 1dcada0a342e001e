package feature

// Ping answers XEP-0199.
func Ping() Feature {
	const ns = "urn:xmpp:ping"
	return Feature{Namespace: ns, Local: "ping", Vars: []string{ns}, Answer: func(r *Request) Answer {
		if r.Set {
			return Unavailable()
		}
		return Answer{}
	}}
}
