package xmpp

import (
	"bytes"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/im"
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
	case nsCSI:
		if st.srv.deps.IM != nil { // pushes are commands, so an inactive endpoint gets them all the same
			s.setActive(string(el.Local()) == "active")
		}
		return transport.Read
	}
	return st.end(endpoint.ReasonUnsupported)
}

// target is whom a stanza is addressed to.
type target uint8

const (
	toOwn       target = iota // nobody, or the sender's own bare JID: the server answers for the account (RFC 6120 section 10.3)
	toServer                  // the domain
	toAccount                 // an account of this domain, or a client of one, the sender's own included
	toNobody                  // nothing of this domain has the address
	toComponent               // another domain, which a component serves
	toForeign                 // another domain
	toNowhere                 // not an address
)

// target sorts the address, which is returned for toOwn and toAccount. Equal bytes are equal addresses, and an endpoint's id needs no normalisation, so only unusual
// addresses are parsed.
func (s *session) target(el *scan.Stanza) (target, im.Address) {
	to := el.To()
	switch string(to) {
	case "", s.bare:
		return toOwn, im.Address{Key: s.key}
	case s.key.Domain:
		return toServer, im.Address{}
	case s.jid:
		return toAccount, im.Address{Key: s.key, Resource: s.jid[len(s.bare)+1:]}
	}
	if at, ok := s.plain(to); ok && at.Key != s.key {
		return toAccount, at
	}
	return s.unusualTarget(string(to))
}

// plain reads an address of this domain that is written as we write it, bare or with a resource of printable ASCII.
func (s *session) plain(to []byte) (im.Address, bool) {
	bare, resource, full := bytes.Cut(to, []byte("/"))
	local, domain, ok := bytes.Cut(bare, []byte("@"))
	if !ok || full && len(resource) == 0 || string(domain) != s.key.Domain || bytes.ContainsFunc(resource, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return im.Address{}, false
	}
	id := string(local)
	return im.Address{Key: endpoint.Key{Domain: s.key.Domain, ID: id}, Resource: string(resource)}, endpoint.CheckID(id) == nil
}

func (s *session) unusualTarget(to string) (target, im.Address) {
	j, err := jid.Parse(to)
	switch {
	case err != nil:
		return toNowhere, im.Address{}
	case s.srv.deps.Components.Serves(j.Domainpart()):
		return toComponent, im.Address{}
	case j.Domainpart() != s.key.Domain:
		return toForeign, im.Address{}
	case j.Localpart() == "" && j.Resourcepart() == "":
		return toServer, im.Address{}
	case j.Localpart() == "":
		return toNobody, im.Address{}
	}
	at := im.Address{Key: endpoint.Key{Domain: j.Domainpart(), ID: j.Localpart()}, Resource: j.Resourcepart()}
	if at.Key == s.key && at.Resource == "" {
		return toOwn, at
	}
	return toAccount, at
}

// takeIQ answers what is for the server or an account, and routes the rest (RFC 6120 section 8.2.3, 8.3.3.19).
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
	to, at := s.target(el)
	switch {
	case to == toComponent:
		s.toComponent(el)
	case to == toNobody, to == toForeign, to == toNowhere:
		s.refuse(el, unreachable(to))
	case to == toAccount && at.Resource != "":
		s.routeIQ(el, at)
	case answer:
		s.takeAnswer(el)
	case to == toServer:
		s.answer(el, feature.Server, endpoint.Key{})
	case to == toOwn:
		s.answer(el, feature.Own, s.key)
	case s.srv.deps.IM == nil:
		s.refuse(el, feature.Unavailable())
	default:
		s.answer(el, feature.Another, at.Key)
	}
}

// takeAnswer takes what a client answers to a query of the server's own. What answers none is dropped: an id cannot be guessed.
func (s *session) takeAnswer(el *scan.Stanza) {
	s.mu.Lock()
	state := s.state
	s.mu.Unlock()
	if state == nil {
		return
	}
	to := string(el.To())
	if to == "" {
		to = s.bare
	}
	var patience feature.Patience
	defer patience.Stop()
	state.Answered(&patience, to, el)
}

// unreachable is the answer to what is addressed to none of ours (RFC 6120 sections 8.3.3.8, 8.3.3.16 and 8.3.3.19).
func unreachable(to target) feature.Answer {
	switch to {
	case toNowhere:
		return feature.Refuse(stanza.Modify, stanza.JIDMalformed)
	case toForeign:
		return feature.Refuse(stanza.Cancel, stanza.RemoteServerNotFound)
	}
	return feature.Unavailable()
}

func (s *session) answer(el *scan.Stanza, to feature.Entity, k endpoint.Key) {
	a := s.srv.ask(s, el, to, k)
	if a.Condition != "" {
		s.refuse(el, a)
		return
	}
	s.reply(feature.ResultReply(el, s.jid, a.Payload))
}

// refuse answers with an error, unless the stanza is one or is an iq result, which get none.
func (s *session) refuse(el *scan.Stanza, a feature.Answer) {
	if !feature.Answerless(el) {
		s.reply(stanzaError(el, s.jid, a))
	}
}

// routeIQ hands an iq to another client with the sender's true address. Who may not be written to and who does not exist are the same to the sender.
func (s *session) routeIQ(el *scan.Stanza, to im.Address) {
	if s.srv.deps.IM == nil {
		s.routeSelf(el, to)
		return
	}
	if a := s.srv.deps.IM.Request(s, el, to); a.Condition != "" {
		s.srv.metrics.unrouted.Inc()
		s.refuse(el, a)
		return
	}
	s.srv.metrics.routed.Inc()
}

// routeSelf is all that a managed endpoint may send to an account: a stanza to itself.
func (s *session) routeSelf(el *scan.Stanza, to im.Address) {
	if to.String() != s.jid || !s.Send(scan.Splice(make([]byte, 0, len(el.Raw)+len(s.jid)+16), el, s.jid)) {
		s.refuse(el, feature.Unavailable())
	}
}

// takePresence notes the endpoint's own availability (RFC 6121 section 4). Where the server manages rosters, presence goes to nobody.
func (s *session) takePresence(el *scan.Stanza) {
	traffic := s.srv.deps.IM
	if len(el.To()) > 0 {
		switch to, at := s.target(el); {
		case to == toComponent:
			s.toComponent(el)
		case traffic != nil && (to == toAccount || to == toOwn):
			s.refusePresence(el, traffic.Directed(s, el, at))
		}
		return
	}
	typ := string(el.Type())
	if typ != "" && typ != "unavailable" { // the others are for somebody, or unknown (section 4.7.1)
		s.refuse(el, badRequest)
		return
	}
	if available := typ == ""; s.setAvailable(available) {
		s.srv.deps.Registry.Available(s.key, s, available)
	}
	switch {
	case traffic != nil:
		s.refusePresence(el, traffic.Presence(s, el))
	case typ != "":
		s.leaveComponents()
	}
}

func (s *session) refusePresence(el *scan.Stanza, a feature.Answer) {
	if a.Condition != "" {
		s.refuse(el, a)
	}
}
