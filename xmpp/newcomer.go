package xmpp

import (
	"signalbox/internal/endpoint"
	"signalbox/xmpp/transport"
)

// clonedText is for the people who look after a client that is refused; it is told no more than that.
const clonedText = "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>another machine is logged in with this identity</text>"

// clientName is what a client is called on its stream.
type clientName struct {
	resource string
	client   string // by which its installation is known again; empty: it said nothing
}

// admit asks whether a login may be bound, which may take seconds for an endpoint whose sessions come and go. Anything but Read ends the stream.
func (st *stream) admit(n clientName) transport.Next {
	newcomer := endpoint.Newcomer{Client: n.client}
	if n.client != "" {
		newcomer.Resource = n.resource
	}
	if st.info.Remote.IsValid() {
		newcomer.RemoteAddr = st.info.Remote.String()
	}
	if why := st.srv.deps.Registry.Admit(st.login.ctx, st.login.key, newcomer); why.Name != "" {
		return st.endWith(why, clonedText)
	}
	return transport.Read
}
