package xmpp

import (
	"mellium.im/xmpp/jid"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/im"
	"signalbox/xmpp/scan"
)

// toComponent sends a stanza to an address of a component (XEP-0114) with the sender's true address.
func (s *session) toComponent(el *scan.Stanza) {
	to, err := jid.Parse(string(el.To()))
	if err != nil {
		s.refuse(el, badRequest)
		return
	}
	var a feature.Answer
	if traffic := s.srv.deps.IM; traffic != nil {
		a = traffic.Outward(s, el, to)
	} else {
		a = s.outward(el, to)
	}
	if a.Condition != "" {
		s.srv.metrics.unrouted.Inc()
		s.refuse(el, a)
		return
	}
	s.srv.metrics.routed.Inc()
}

// outward is what a managed endpoint sends: anything but presence of subscriptions, since the server manages rosters.
func (s *session) outward(el *scan.Stanza, to jid.JID) feature.Answer {
	if el.Kind == scan.Presence {
		switch typ := string(el.Type()); typ {
		case "", "unavailable":
			if !s.State().Direct(to.String(), typ == "") {
				return feature.Unavailable()
			}
		case "error", "probe":
		default:
			return feature.Answer{}
		}
	}
	if !s.srv.deps.Components.Route(to.Domainpart(), scan.Edit{From: s.jid, To: to.String()}.AppendTo(make([]byte, 0, len(el.Raw)+64), el)) {
		return feature.Unavailable()
	}
	return feature.Answer{}
}

// leaveComponents tells the components that saw the presence of a managed endpoint that it is available no longer (RFC 6121 section 4.6.3).
func (s *session) leaveComponents() {
	s.mu.Lock()
	state := s.state
	s.mu.Unlock()
	if state == nil {
		return
	}
	for _, to := range state.TakeDirected() {
		if j, err := jid.Parse(to); err == nil {
			b := append(scan.AppendEscaped([]byte("<presence type='unavailable' from='"), s.jid), "' to='"...)
			s.srv.deps.Components.Route(j.Domainpart(), append(scan.AppendEscaped(b, to), "'/>"...))
		}
	}
}

// Take implements component.Inside.
func (s *Server) Take(from feature.Client, el *scan.Stanza, to jid.JID) {
	at := im.Address{Key: endpoint.Key{Domain: s.domain, ID: to.Localpart()}, Resource: to.Resourcepart()}
	var a feature.Answer
	switch {
	case el.Kind == scan.IQ && at.Resource == "":
		a = s.askedFromOutside(from, el, at)
	case at.ID == "": // the server reads no messages and no presence of components
		a = feature.Unavailable()
	case s.deps.IM != nil:
		a = s.deps.IM.Inward(from, el, at)
	default:
		a = s.inward(from, el, at)
	}
	switch {
	case a.Condition == "":
		s.metrics.routed.Inc()
		return
	case el.Kind != scan.Presence && !feature.Answerless(el):
		from.Send(feature.ErrorReply(el, from.JID(), a))
	}
	s.metrics.unrouted.Inc()
}

// askedFromOutside answers an iq to the server, or to an account in its place (RFC 6121 section 8.5.2.1.3).
func (s *Server) askedFromOutside(from feature.Client, el *scan.Stanza, at im.Address) feature.Answer {
	typ := string(el.Type())
	switch request := typ == "get" || typ == "set"; {
	case !request && (typ == "result" || typ == "error"):
		return feature.Answer{}
	case !request || el.ID() == nil || el.Children != 1:
		return badRequest
	case at.ID != "" && s.deps.IM == nil:
		return feature.Unavailable()
	}
	entity := feature.Server
	if at.ID != "" {
		entity = feature.Another
	}
	a := s.ask(from, el, entity, at.Key)
	if a.Condition == "" {
		from.Send(feature.ResultReply(el, from.JID(), a.Payload))
	}
	return a
}

// inward hands what a component sends to a managed endpoint to its session: the one with the resource, or the one that it has.
func (s *Server) inward(from feature.Client, el *scan.Stanza, to im.Address) feature.Answer {
	raw := scan.Edit{From: from.JID()}.AppendTo(make([]byte, 0, len(el.Raw)+64), el)
	for _, c := range Clients(s.deps.Registry)(to.Key) {
		if (to.Resource == "" || c.JID() == to.String()) && c.Send(raw) {
			return feature.Answer{}
		}
	}
	return feature.Unavailable()
}

// ask has the features answer an iq.
func (s *Server) ask(from feature.Client, el *scan.Stanza, to feature.Entity, k endpoint.Key) feature.Answer {
	var payload scan.Element
	for c := range el.Element().Children() {
		payload = c
	}
	q := &feature.Query{Set: string(el.Type()) == "set", Stanza: el, Payload: payload, From: from, To: to, Account: k}
	defer q.Patience.Stop()
	return s.deps.Features.Answer(&q.Patience, q)
}
