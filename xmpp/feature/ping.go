package feature

import "context"

// Ping answers XEP-0199 for the server and the sender's own account.
func Ping() Feature {
	const ns = "urn:xmpp:ping"
	return Feature{Vars: []string{ns}, AccountVars: []string{ns}, Requests: []Request{{Namespace: ns, Local: "ping", To: Server | Own, Get: nothing}}}
}

// nothing is the answer that says no more than that it is one.
func nothing(context.Context, *Query) Answer { return Answer{} }

// constant answers the same to everybody.
func constant(payload string) func(context.Context, *Query) Answer {
	return func(context.Context, *Query) Answer { return Answer{Payload: []byte(payload)} }
}
