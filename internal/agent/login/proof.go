package login

import (
	"encoding/base64"
	"errors"

	mellium "mellium.im/xmpp"

	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/path"
	"signalbox/internal/identity"
	"signalbox/xmpp/scan"
)

var (
	errNoProof   = errors.New("the server offers no proof of its identity")
	errBadAnswer = errors.New("the server answers the question for its identity with something else")
)

// checkServer has the server, whose key is known, prove that it holds that key and the other end of this connection, before anything is sent that it could use. A login by key
// shows that by itself.
func (n *negotiation) checkServer(s *mellium.Session) error {
	switch {
	case n.Server.IsZero() || !n.Key.IsZero():
		return nil
	case n.Intercepted:
		return n.flag()
	}
	if _, ok := s.Feature(identity.Namespace); !ok {
		return ladder.New(ladder.Unproven, n.shown(), errNoProof)
	}
	bound, err := path.Exporter(n.conn.ConnectionState())
	if err != nil {
		return err
	}
	p := identity.StreamProof{Domain: n.JID.Domainpart(), Nonce: identity.Nonce(), Bound: bound}
	if _, err := n.conn.Write([]byte("<proof xmlns='" + identity.Namespace + "' nonce='" + p.Nonce + "'/>")); err != nil {
		return err
	}
	st, err := n.answer()
	switch {
	case err != nil:
		return err
	case st.Is(scan.NamespaceStreams, "error"):
		return n.ended(ParseStreamError(st))
	case !st.Is(identity.Namespace, "proof"):
		return ladder.New(ladder.Protocol, "", errBadAnswer)
	}
	return n.judge(p, st.Element())
}

// judge reads the server's proof.
func (n *negotiation) judge(p identity.StreamProof, proof scan.Element) error {
	key, _ := proof.Attr("key")
	text, _ := proof.Attr("signature")
	server, err := identity.ParsePublic(string(key))
	switch {
	case err != nil:
		return ladder.New(ladder.Protocol, "", errBadAnswer)
	case server != n.Server:
		return ladder.New(ladder.OtherServer, server.String(), nil)
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || !p.Verify(n.Server, sig) {
		return ladder.New(ladder.Unproven, n.shown(), errUnproven)
	}
	n.proven = true
	return nil
}

// flag tells the server that TLS is opened on the way, where that has a certificate which is trusted, and policy accepts it.
func (n *negotiation) flag() error {
	if err := path.Verify(n.conn.ConnectionState(), n.TLS); err != nil {
		return err
	}
	_, err := n.conn.Write([]byte("<intercepted xmlns='" + identity.Namespace + "'/>"))
	return err
}
