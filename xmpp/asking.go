package xmpp

import (
	"context"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// Ask has a client of an account, or the server itself where the key has no ID, answer an iq of type get or set that the management server wrote, and returns the
// answer as XML. It asks the client with the resource, or the one that leads where there is none. Errors: that of ctx; all else is an iq of type error.
func (s *Server) Ask(ctx context.Context, to endpoint.Key, resource string, el *scan.Stanza) ([]byte, error) {
	server := &asking{domain: s.domain}
	if to.ID == "" {
		at, err := jid.New("", s.domain, resource)
		if err != nil {
			return nil, err
		}
		s.Take(server, el, at)
		return server.answer, nil
	}
	c := s.present(to, resource)
	if c == nil {
		return feature.ErrorReply(el, s.domain, feature.Unavailable()), nil
	}
	var payload []byte
	for child := range el.Element().Children() {
		payload = child.AppendAlone(payload)
	}
	answer := make(chan []byte, 1)
	take := func(_ context.Context, got *scan.Stanza) { answer <- answerOf(el, got, c.JID(), s.domain) }
	if !feature.Ask(c, s.domain, string(el.Type()) == "set", payload, take) {
		return feature.ErrorReply(el, s.domain, feature.Refuse(stanza.Wait, stanza.ResourceConstraint)), nil
	}
	select {
	case raw := <-answer:
		return raw, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Deliver sends a stanza of the server to the clients of an account that are there, or to the one with the resource; false: none of them took it.
func (s *Server) Deliver(to endpoint.Key, resource string, raw []byte) (taken bool) {
	for _, c := range Clients(s.deps.Registry)(to) {
		if at := c.JID(); resource == "" || at == to.JID()+"/"+resource {
			taken = c.Send(raw) || taken
		}
	}
	return taken
}

// present returns the client with the resource, or the one that leads; nil: there is none that has a connection.
func (s *Server) present(to endpoint.Key, resource string) feature.Client {
	for _, c := range Clients(s.deps.Registry)(to) {
		if (resource == "" || c.JID() == to.JID()+"/"+resource) && !c.State().Has(feature.Detached) {
			return c
		}
	}
	return nil
}

// answerOf is what a client answered, under the id that the question had.
func answerOf(question, got *scan.Stanza, from, to string) []byte {
	b := append(make([]byte, 0, len(got.Raw)+128), "<iq"...)
	b = scan.AppendAttribute(b, "type", got.Type())
	b = scan.AppendAttribute(b, "id", question.ID())
	b = scan.AppendAttribute(b, "from", from)
	b = append(scan.AppendAttribute(b, "to", to), '>')
	for child := range got.Element().Children() {
		b = child.AppendAlone(b)
	}
	return append(b, "</iq>"...)
}

// asking is who writes in the name of the server, for the time of one stanza. It implements feature.Client.
type asking struct {
	domain string
	answer []byte
}

// Key implements feature.Client.
func (a *asking) Key() endpoint.Key { return endpoint.Key{Domain: a.domain} }

// JID implements feature.Client.
func (a *asking) JID() string { return a.domain }

// Send implements feature.Client: what comes is the answer.
func (a *asking) Send(raw []byte) bool {
	a.answer = raw
	return true
}

// SendMessage implements feature.Client.
func (a *asking) SendMessage([]byte, *feature.Copies) bool { return false }

// SendPresence implements feature.Client.
func (a *asking) SendPresence(string, []byte) {}

// State implements feature.Client: nothing is kept of it.
func (a *asking) State() *feature.State { return new(feature.State) }
