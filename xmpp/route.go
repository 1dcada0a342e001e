package xmpp

import (
	"bytes"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

const nsCSI = "urn:xmpp:csi:0"

// takeStanza handles what a bound endpoint sends. Stanzas are handled in the order in which they come (RFC 6120 section 10.1).
func (st *stream) takeStanza(el *scan.Stanza) transport.Next {
	s := st.session.Load()
	if el.Kind == scan.Nonza {
		return st.takeNonza(s, el)
	}
	if from := el.From(); len(from) > 0 && string(from) != s.jid && string(from) != s.bare {
		return st.end(endpoint.ReasonInvalidFrom)
	}
	if el.HasStreams {
		return st.end(endpoint.ReasonInvalidXML)
	}
	if len(el.ID()) > maxIDBytes {
		return st.end(endpoint.ReasonTooBig)
	}
	if !s.receive(st) {
		return st.end(endpoint.ReasonReplaced)
	}
	defer s.handled(st)
	switch el.Kind {
	case scan.IQ:
		s.takeIQ(el)
	case scan.Message:
		return s.takeMessage(st, el)
	case scan.Presence:
		s.takePresence(el)
	}
	return transport.Read
}

// maxIDBytes bounds the id of a stanza, since answers repeat it.
const maxIDBytes = 1023

func (st *stream) takeNonza(s *session, el *scan.Stanza) transport.Next {
	switch string(el.Namespace()) {
	case nsSM:
		return s.takeManagement(st, el)
	case nsCSI: // XEP-0352: pushes are commands, so an inactive client gets them all the same
		return transport.Read
	}
	return st.end(endpoint.ReasonUnsupported)
}

// target is whom a stanza is addressed to.
type target uint8

const (
	toAccount target = iota // nobody, or the sender's own bare JID: the server answers for the account (RFC 6120 section 10.3)
	toServer                // the domain
	toOther                 // another endpoint, or the sender's own full JID
	toNobody                // nothing of this domain has the address
	toForeign               // another domain
	toNowhere               // not an address
)

// target sorts the address; the key is set for toOther. Equal bytes are equal addresses, and an endpoint's id needs no normalisation, so only unusual addresses
// are parsed.
func (s *session) target(el *scan.Stanza) (target, endpoint.Key) {
	to := el.To()
	switch string(to) {
	case "", s.bare:
		return toAccount, s.key
	case s.key.Domain:
		return toServer, endpoint.Key{}
	case s.jid:
		return toOther, s.key
	}
	if id, ok := s.plainID(to); ok && id != s.key.ID {
		return toOther, endpoint.Key{Domain: s.key.Domain, ID: id}
	}
	return s.unusualTarget(string(to))
}

// plainID returns the id in an address of this domain that is written as we write it, bare or with a resource of printable ASCII.
func (s *session) plainID(to []byte) (string, bool) {
	bare, resource, full := bytes.Cut(to, []byte("/"))
	local, domain, ok := bytes.Cut(bare, []byte("@"))
	if !ok || full && len(resource) == 0 || string(domain) != s.key.Domain || bytes.ContainsFunc(resource, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", false
	}
	id := string(local)
	return id, endpoint.CheckID(id) == nil
}

func (s *session) unusualTarget(to string) (target, endpoint.Key) {
	j, err := jid.Parse(to)
	switch {
	case err != nil:
		return toNowhere, endpoint.Key{}
	case j.Domainpart() != s.key.Domain:
		return toForeign, endpoint.Key{}
	case j.Localpart() == "" && j.Resourcepart() == "":
		return toServer, endpoint.Key{}
	case j.Localpart() == s.key.ID && j.Resourcepart() == "":
		return toAccount, s.key
	case j.Localpart() == s.key.ID && j.String() == s.jid:
		return toOther, s.key
	case j.Localpart() == s.key.ID, j.Localpart() == "":
		return toNobody, endpoint.Key{}
	}
	return toOther, endpoint.Key{Domain: j.Domainpart(), ID: j.Localpart()}
}

// takeIQ answers what is for the server or the account, and routes the rest (RFC 6120 section 8.2.3, 8.3.3.19).
func (s *session) takeIQ(el *scan.Stanza) {
	typ := string(el.Type())
	request := typ == "get" || typ == "set"
	answer := typ == "result" || typ == "error"
	if el.ID() == nil || !request && !answer || request && el.Children != 1 {
		if !answer {
			s.refuse(el, badRequest)
		}
		return
	}
	to, key := s.target(el)
	switch {
	case to == toNowhere:
		s.refuse(el, feature.Refuse(stanza.Modify, stanza.JIDMalformed))
	case to == toForeign:
		s.refuse(el, feature.Refuse(stanza.Cancel, stanza.RemoteServerNotFound))
	case to == toNobody:
		s.refuse(el, feature.Unavailable())
	case to == toOther:
		s.route(el, key)
	case request:
		s.answer(el, to == toServer)
	}
}

func (s *session) answer(el *scan.Stanza, server bool) {
	var payload scan.Element
	for c := range el.Element().Children() {
		payload = c
	}
	a := s.srv.deps.Features.Answer(&feature.Request{Set: string(el.Type()) == "set", Payload: payload, From: s.key, ToServer: server})
	if a.Condition != "" {
		s.refuse(el, a)
		return
	}
	b := appendReply(make([]byte, 0, 256+len(a.Payload)), el, "result", s.jid)
	s.reply(append(append(b, a.Payload...), "</iq>"...))
}

// refuse answers with an error, unless the stanza is one or is a presence or an iq result, which get none.
func (s *session) refuse(el *scan.Stanza, a feature.Answer) {
	typ := string(el.Type())
	if typ == "error" || typ == "result" && el.Kind == scan.IQ || el.Kind == scan.Presence {
		return
	}
	s.reply(stanzaError(el, s.jid, a))
}

// route hands a stanza to another session with the sender's true address. Who may not be written to and who does not exist are the same to the sender.
func (s *session) route(el *scan.Stanza, to endpoint.Key) {
	if s.srv.cfg.Routing != RoutingOpen && to != s.key {
		s.refuse(el, feature.Unavailable())
		return
	}
	raw := scan.Splice(make([]byte, 0, len(el.Raw)+len(s.jid)+16), el, s.jid)
	if err := s.srv.deps.Registry.Route(to, endpoint.Stanza{Raw: raw}); err != nil {
		s.srv.metrics.unrouted.Inc()
		s.refuse(el, feature.Unavailable())
		return
	}
	s.srv.metrics.routed.Inc()
}

// takePresence notes the endpoint's own availability (RFC 6121 section 4). Rosters are managed by the server, so presence goes to nobody.
func (s *session) takePresence(el *scan.Stanza) {
	if len(el.To()) > 0 {
		return
	}
	typ := string(el.Type())
	if typ != "" && typ != "unavailable" {
		return
	}
	if available := typ == ""; s.setAvailable(available) {
		s.srv.deps.Registry.Available(s.key, s, available)
	}
}
