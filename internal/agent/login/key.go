package login

import (
	"errors"

	"mellium.im/sasl"

	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/path"
	"signalbox/internal/identity"
)

var (
	errUnproven  = errors.New("the signature is not of this login on this connection")
	errExtraStep = errors.New("the server goes on after the end of a login by key")
)

// byKey is SIGNALBOX-KEY (docs/PROTOCOL.md). The server proves itself first: the agent signs nothing for who does not hold the server's key and the other end of this connection.
func (n *negotiation) byKey() sasl.Mechanism {
	var s identity.Statement
	return sasl.Mechanism{
		Name: identity.Mechanism,
		Start: func(*sasl.Negotiator) (bool, []byte, any, error) {
			var err error
			s, err = n.statement()
			return true, s.Hello.Encode(), nil, err
		},
		Next: func(m *sasl.Negotiator, challenge []byte, _ any) (bool, []byte, any, error) {
			if m.State()&sasl.StepMask == sasl.AuthTextSent {
				answer, err := n.answerChallenge(&s, challenge)
				return true, answer, nil, err
			}
			if len(challenge) > 0 {
				return false, nil, nil, errExtraStep
			}
			return false, nil, nil, nil
		},
	}
}

// statement begins a login on this connection. One that is not bound to it is made only where policy accepts an inspection whose authority this machine trusts.
func (n *negotiation) statement() (identity.Statement, error) {
	s := identity.Statement{
		Domain: n.JID.Domainpart(), Server: n.Server,
		Hello: identity.Hello{Binding: identity.BoundExporter, ID: n.JID.Localpart(), Nonce: identity.Nonce()},
	}
	if n.Intercepted {
		s.Binding = identity.Unbound
		return s, path.Verify(n.conn.ConnectionState(), n.TLS)
	}
	bound, err := path.Exporter(n.conn.ConnectionState())
	s.Bound = bound
	return s, err
}

func (n *negotiation) answerChallenge(s *identity.Statement, message []byte) ([]byte, error) {
	c, err := identity.ParseChallenge(message)
	switch {
	case err != nil:
		return nil, ladder.New(ladder.Impostor, "", err)
	case c.Server != n.Server:
		return nil, ladder.New(ladder.OtherServer, c.Server.String(), nil)
	}
	s.ServerNonce = c.Nonce
	if !s.VerifyServer(c.Signature) {
		return nil, ladder.New(ladder.Unproven, n.shown(), errUnproven)
	}
	n.proven = !n.Intercepted
	return identity.EncodeAnswer(s.SignEndpoint(n.Key)), nil
}

// shown says whose certificate was shown.
func (n *negotiation) shown() string {
	state := n.conn.ConnectionState()
	if len(state.PeerCertificates) == 0 {
		return ""
	}
	return path.Describe(state)
}
