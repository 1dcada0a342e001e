package xmpp

import (
	"bytes"
	"errors"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

const nsBind = "urn:ietf:params:xml:ns:xmpp-bind"

// takeBind is resource binding (RFC 6120 section 7), or the resumption of an earlier session (XEP-0198 section 5).
func (st *stream) takeBind(el *scan.Stanza) transport.Next {
	switch {
	case asksBind(el):
		return st.bind(el)
	case el.Is(nsSM, "resume"):
		return st.resume(el.Element())
	case el.Is(nsSM, "enable"):
		st.conn.Control(smFailed("unexpected-request", ""))
		return transport.Read
	}
	return st.end(endpoint.ReasonNotAuthorized)
}

func asksBind(el *scan.Stanza) bool {
	return el.Kind == scan.IQ && el.ChildIs(nsBind, "bind") && string(el.Type()) == "set" && el.Children == 1 && el.ID() != nil
}

// askedResource returns the resource that a client asks for, or one that we choose.
func askedResource(el *scan.Stanza) (resource string, chosen bool) {
	if resource = el.Element().Child(nsBind, "bind").Child(nsBind, "resource").Text(); resource != "" {
		return resource, true
	}
	return randomID(), false
}

// boundReply tells a client what it is called from now on.
func boundReply(el *scan.Stanza, full string) []byte {
	b := appendReply(make([]byte, 0, 256), el, "result", full)
	b = append(b, "<bind xmlns='"+nsBind+"'><jid>"...)
	return append(scan.AppendEscaped(b, full), "</jid></bind></iq>"...)
}

func (st *stream) bind(el *scan.Stanza) transport.Next {
	requested, chosen := askedResource(el)
	full, err := jid.New(st.login.key.ID, st.login.key.Domain, requested)
	if err != nil {
		st.conn.Control(stanzaError(el, st.login.key.JID(), feature.Refuse(stanza.Modify, stanza.JIDMalformed)))
		return transport.Read
	}
	called := clientName{resource: full.Resourcepart()}
	if chosen {
		called.client = called.resource
	}
	s, next, err := st.occupy(called)
	if err != nil {
		st.refusedBind()
		st.conn.Control(stanzaError(el, st.login.key.JID(), feature.Refuse(stanza.Wait, stanza.ResourceConstraint)))
		return transport.Read
	}
	if next != transport.Read {
		return next
	}
	s.welcome(st, boundReply(el, s.jid))
	return st.settle()
}

// occupy makes a session that is called so, or returns endpoint.ErrResources. Anything but Read ends the stream.
func (st *stream) occupy(n clientName) (s *session, next transport.Next, err error) {
	if next = st.admit(n); next != transport.Read {
		return nil, next, nil
	}
	if st.over.Load() { // a login that comes too late replaces nobody
		return nil, transport.Stop, nil
	}
	s = newSession(st, n)
	st.session.Store(s)
	lives, err := s.bind()
	if err != nil {
		st.session.Store(nil)
		return nil, transport.Read, err
	}
	if !lives {
		return nil, transport.Stop, nil
	}
	if r := st.admitted(); r.Name != "" {
		return nil, st.end(r), nil
	}
	return s, transport.Read, nil
}

// admitted looks once more whether the endpoint may be here, now that whoever disables or deletes it finds the session.
func (st *stream) admitted() endpoint.Reason {
	secret, enabled, err := st.srv.deps.Logins.EndpointSecret(st.login.ctx, st.login.key)
	switch {
	case errors.Is(err, endpoint.ErrUnknown):
		return endpoint.ReasonDeleted
	case err != nil:
		st.trouble("endpoint could not be read at bind", err)
		return endpoint.ReasonInternal
	case !enabled:
		return endpoint.ReasonDisabled
	case !bytes.Equal(secret.Mark(), st.login.proven):
		return endpoint.ReasonSecretChanged
	}
	return endpoint.Reason{}
}

// settle ends the negotiation: from now on nothing that the stream does may wait.
func (st *stream) settle() transport.Next {
	st.loggedIn()
	return st.settleAs(bound)
}

func (st *stream) settleAs(p phase) transport.Next {
	st.phase, st.login, st.info.TLS, st.rate = p, nil, link.TLS{}, st.srv.cfg.Rate()
	st.srv.wheel.Set(&st.timer, min(st.srv.cfg.PingAfter, st.srv.cfg.StanzaTimeout))
	return transport.Settle
}

// resume answers <resume/>.
func (st *stream) resume(el scan.Element) transport.Next {
	next, found := st.resumeAs(readResumption(el), func(_ string, resumed []byte) []byte { return resumed })
	if !found {
		st.conn.Control(smFailed("item-not-found", ""))
	}
	return next
}

// newSession makes the session of a stream that logged in.
func newSession(st *stream, n clientName) *session {
	full := st.login.key.JID() + "/" + n.resource
	return &session{
		srv:  st.srv,
		key:  st.login.key,
		jid:  full,
		bare: full[:len(full)-len(n.resource)-1],
		facts: endpoint.Facts{
			Resource: n.resource, Client: n.client, Remote: st.info.Remote, Via: st.info.Via, TLSVersion: st.info.TLS.Version, Bound: time.Now(),
			Intercepted: st.login.intercepted,
		},
		stream: st,
	}
}
