package xmpp

import (
	"encoding/base64"

	"signalbox/internal/endpoint"
	"signalbox/internal/identity"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

const nsIdentity = identity.Namespace

// identityFeature appends the stream feature that says that we prove who we are, where there is something to bind the proof to.
func (st *stream) identityFeature(b []byte) []byte {
	if st.srv.deps.SASL.Identity().IsZero() || st.saslInput().Exporter() == nil {
		return b
	}
	return append(b, "<identity xmlns='"+nsIdentity+"'/>"...)
}

// takeIdentity is what may come before a login: <proof nonce=”/> asks us to prove who we are, by a signature over what the connection is bound to; <intercepted/> says that
// TLS is opened on the way, and is noted with the session that follows.
func (st *stream) takeIdentity(el scan.Element) transport.Next {
	key := st.srv.deps.SASL.Identity()
	switch {
	case key.IsZero() || st.login.exchange != nil:
		return st.end(endpoint.ReasonNotAuthorized)
	case string(el.Local()) == "intercepted":
		st.login.intercepted = true
		return transport.Read
	case string(el.Local()) != "proof":
		return st.end(endpoint.ReasonNotAuthorized)
	}
	nonce, _ := el.Attr("nonce")
	p := identity.StreamProof{Domain: st.srv.domain, Nonce: string(nonce), Bound: st.saslInput().Exporter()}
	if !identity.ValidNonce(p.Nonce) {
		return st.end(endpoint.ReasonNotAuthorized)
	}
	b := append(make([]byte, 0, 256), "<proof xmlns='"+nsIdentity+"' key='"...)
	b = append(b, key.Public().String()...)
	if p.Bound != nil { // on TLS 1.2 there is nothing to sign
		b = append(b, "' signature='"...)
		b = base64.RawURLEncoding.AppendEncode(b, p.Sign(key))
	}
	st.conn.Control(append(b, "'/>"...))
	return transport.Read
}
