package component

import (
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

// maxIDBytes bounds the id of a stanza, since answers repeat it.
const maxIDBytes = 1023

// takeStanza routes what the component sends. It must name both addresses, its own one at its domain (XEP-0114 section 3).
func (st *stream) takeStanza(sent *scan.Stanza) transport.Next {
	switch {
	case string(sent.Namespace()) != Namespace, sent.HasStreams:
		return st.end(endpoint.ReasonUnsupported)
	case len(sent.From()) == 0, len(sent.To()) == 0:
		return st.end(endpoint.ReasonUnaddressed)
	case len(sent.ID()) > maxIDBytes:
		return st.end(endpoint.ReasonTooBig)
	}
	from, err := jid.Parse(string(sent.From()))
	if err != nil || from.Domainpart() != st.name {
		return st.end(endpoint.ReasonInvalidFrom)
	}
	el, err := scan.ParseInStream(scan.Translate(make([]byte, 0, len(sent.Raw)+64), sent, Namespace, scan.NamespaceClient), scan.Accepted)
	switch {
	case err != nil:
		return st.end(endpoint.ReasonInvalidXML) // a namespace that stands under two names once it is translated
	case el.Kind == scan.Nonza:
		return st.end(endpoint.ReasonUnsupported)
	}
	v := newVisitor(st, from)
	to, err := jid.Parse(string(el.To()))
	if err != nil {
		st.refuse(v, &el, feature.Refuse(stanza.Modify, stanza.JIDMalformed))
		return transport.Read
	}
	st.route(v, &el, to)
	return transport.Read
}

// route hands a stanza on: to this server's own domain, or to another component.
func (st *stream) route(v *visitor, el *scan.Stanza, to jid.JID) {
	domain := to.Domainpart()
	switch {
	case domain == st.srv.domain:
		st.srv.metrics.count(inward, true)
		st.srv.inside.Take(v, el, to)
	case !st.srv.Serves(domain):
		st.refuse(v, el, feature.Refuse(stanza.Cancel, stanza.RemoteServerNotFound))
	case st.srv.Route(domain, scan.Edit{From: v.jid, To: to.String()}.AppendTo(make([]byte, 0, len(el.Raw)+64), el)):
		st.srv.metrics.count(inward, true)
	default:
		st.refuse(v, el, feature.Unavailable())
	}
}

// refuse answers with an error, unless the stanza gets none.
func (st *stream) refuse(v *visitor, el *scan.Stanza, a feature.Answer) {
	st.srv.metrics.count(inward, false)
	if !feature.Answerless(el) {
		v.Send(feature.ErrorReply(el, v.jid, a))
	}
}

// deliver sends a stanza of jabber:client to the component, with this address as its to where it has none; false: the component does not read, or is gone.
func (st *stream) deliver(raw []byte, to string) bool {
	el, err := scan.ParseInStream(raw, scan.Accepted)
	if err == nil && len(el.To()) == 0 {
		el, err = scan.ParseInStream(scan.Edit{From: string(el.From()), To: to}.AppendTo(make([]byte, 0, len(raw)+64), &el), scan.Accepted)
	}
	if err != nil {
		return false
	}
	out := scan.Translate(make([]byte, 0, len(raw)+64), &el, scan.NamespaceClient, Namespace)
	if _, err := scan.ParseInStream(out, scan.Accepted); err != nil {
		return false // two namespaces became one, and with them two attributes
	}
	return st.conn.Send(out, nil, nil) == nil
}
