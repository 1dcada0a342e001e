package sasl

import (
	"context"
	"errors"

	"signalbox/internal/identity"
)

// Key is the mechanism by which an endpoint logs in with the key that it enrolled.
const Key = identity.Mechanism

// ErrWrongKey says that a login by key was not signed by the endpoint's key, or that it has none.
var ErrWrongKey = errors.New("wrong key")

var errNothingToBind = errors.New("the connection has no keying material to bind to")

// OfferKeys has endpoints log in by their keys, and has the server prove that it holds this one. It must be called before the first login.
func (s *Server) OfferKeys(k identity.Key) { s.key = k }

// Identity returns the key by which the server proves who it is; the zero Key if it has none.
func (s *Server) Identity() identity.Key { return s.key }

// Exporter returns what a proof of identity is bound to on a connection, nil where there is nothing.
func (in Input) Exporter() []byte { return bindingData(in.TLS, BindExporter) }

// keyLogin is SIGNALBOX-KEY (docs/PROTOCOL.md) for one login. The server proves itself first, to whoever asks: so an endpoint signs nothing for somebody on the way, and all
// challenges look alike, whether the endpoint exists or not.
type keyLogin struct {
	account   account
	statement identity.Statement // zero before the client's first message
}

func (k *keyLogin) step(ctx context.Context, x *Exchange, response []byte) ([]byte, bool, error) {
	if k.statement.ServerNonce == "" {
		challenge, err := k.first(ctx, x, response)
		return challenge, false, err
	}
	err := k.final(x, response)
	return nil, err == nil, err
}

func (k *keyLogin) first(ctx context.Context, x *Exchange, message []byte) ([]byte, error) {
	h, err := identity.ParseHello(message)
	if err != nil {
		return nil, &Failure{Condition: MalformedRequest, Cause: err}
	}
	var bound []byte
	if h.Binding == identity.BoundExporter {
		if bound = x.in.Exporter(); bound == nil {
			return nil, &Failure{Condition: NotAuthorized, Cause: errors.Join(ErrBinding, errNothingToBind)}
		}
	}
	if k.account, err = x.account(ctx, h.ID); err != nil {
		return nil, err
	}
	key := x.server.key
	k.statement = identity.Statement{Domain: x.in.Domain, Hello: h, ServerNonce: identity.Nonce(), Server: key.Public(), Bound: bound}
	return identity.Challenge{Nonce: k.statement.ServerNonce, Server: key.Public(), Signature: k.statement.SignServer(key)}.Encode(), nil
}

func (k *keyLogin) final(x *Exchange, message []byte) error {
	sig, err := identity.ParseAnswer(message)
	if err != nil {
		return &Failure{Condition: MalformedRequest, Cause: err}
	}
	proven := k.statement.VerifyEndpoint(k.account.secret.Key, sig)
	if k.account.known && !proven {
		return &Failure{Condition: NotAuthorized, Cause: ErrWrongKey}
	}
	if err := x.admit(k.account, proven, ""); err != nil {
		return err
	}
	x.intercepted, x.noTokens = k.statement.Binding == identity.Unbound, true
	return nil
}
