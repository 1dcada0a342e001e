// Package sasl is the server's side of the SASL mechanisms with which endpoints log in: decoded bytes in, bytes or a named failure out.
package sasl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/identity"
	"signalbox/internal/link"
)

// MaxMessageBytes bounds one decoded message of a client.
const MaxMessageBytes = 4096

// MinFakeKeyBytes is the shortest key that New accepts.
const MinFakeKeyBytes = 32

// Accounts is what a login reads. EndpointSecret returns what is kept of the endpoint's secret and whether the endpoint is enabled, or endpoint.ErrUnknown.
// It may be called concurrently.
type Accounts interface {
	EndpointSecret(ctx context.Context, k endpoint.Key) (s endpoint.Secret, enabled bool, err error)
}

// Server makes exchanges. All methods may be called concurrently.
//
// Who does not know a secret cannot learn from challenges and conditions which endpoints exist. What remains is time: a login fails sooner where no slow hash
// was needed. The caller therefore holds every *Failure back until a fixed time after the client's message, longer than a slow hash takes.
type Server struct {
	accounts Accounts
	fakeKey  []byte
	slow     chan struct{} // one place per slow hash that may run
	tokens   Tokens        // nil: there are no fast logins
	lifetime time.Duration // of a token
	key      identity.Key  // by which it proves who it is; zero: nobody logs in by a key
}

// New returns a server. Salts of endpoints that do not exist are derived from fakeKey, which is secret, has at least MinFakeKeyBytes and stays the same over
// restarts: a salt that changes would tell that there is no such endpoint. At most slowHashes PBKDF2 run at a time, one costs about 1.6 ms; at least 1.
func New(accounts Accounts, fakeKey []byte, slowHashes int) (*Server, error) {
	if len(fakeKey) < MinFakeKeyBytes {
		return nil, fmt.Errorf("key for salts has %d bytes, at least %d are needed", len(fakeKey), MinFakeKeyBytes)
	}
	if slowHashes < 1 {
		return nil, fmt.Errorf("%d slow hashes at a time, at least 1 is needed", slowHashes)
	}
	return &Server{accounts: accounts, fakeKey: bytes.Clone(fakeKey), slow: make(chan struct{}, slowHashes)}, nil
}

// Input is what is known of a stream when its login starts; on one stream it does not change.
type Input struct {
	Domain string // the domain that the stream is addressed to, lower case; endpoints of others cannot log in
	TLS    link.TLS
	Keys   bool   // the server has a key to prove itself by, see OfferKeys
	From   string // who the client said it is in its stream header, a bare JID; it must not ask to act as another (XEP-0388 section 2.3). Empty: it did not say

	Client string // id of the client's installation, without NUL; empty: it told none, and gets no tokens
	Fast   bool   // it says that it logs in by a token: then the fast mechanisms can be started and no others (XEP-0484 section 3.4)
	Count  uint32 // which attempt with this token it is; 0: it did not say

	// Technician lets the technician of a remote session in by PLAIN: where others have their name and secret stand the session's id and a token. Errors that wrap a
	// *signalling.Error are refusals, others trouble of the server's. nil: technicians do not log in here.
	Technician func(ctx context.Context, session, token string) error
}

// Start begins a login by the mechanism with this name, which is compared exactly. The error is a *Failure: EncryptionRequired where nobody may log in,
// InvalidMechanism for a name that Offer does not return, or OfferFast for a login by a token.
func (s *Server) Start(name string, in Input) (*Exchange, error) {
	if !in.TLS.MayLogIn() {
		return nil, fail(EncryptionRequired, "login outside TLS")
	}
	if c, ok := s.startFast(name, in); ok && in.Fast {
		return &Exchange{server: s, in: in, conversation: c}, nil
	}
	for _, m := range mechanisms {
		if m.name == name && m.offered(in) && !in.Fast {
			return &Exchange{server: s, in: in, conversation: m.start()}, nil
		}
	}
	return nil, fail(InvalidMechanism, "mechanism is not offered")
}

// Exchange is one login. It belongs to one goroutine. After a failure the client may start another one.
type Exchange struct {
	server       *Server
	in           Input
	conversation conversation
	begun, over  bool
	claimed      endpoint.Key
	identity     endpoint.Key
	mark         []byte

	technician  bool
	noTokens    bool // are to be had: one would outlive a certificate, and be all that can be stolen of a login by key
	intercepted bool

	// Of a login by a token.
	byToken bool
	moved   bool // it was the new one
	tokens  *endpoint.FastTokens
}

// Step takes the client's next message, decoded by DecodeBase64; nil in the first call means that <auth/> carried no initial response.
//
// While done is false, challenge goes out in <challenge/>; it may be empty. Once done is true, the client is Identity, and challenge is the additional data
// of <success/> (RFC 6120 section 6.4.6), which may be empty. An error is always a *Failure and ends the exchange. Step reads the store, may wait for a slow
// hash, and returns when ctx is done.
func (x *Exchange) Step(ctx context.Context, response []byte) (challenge []byte, done bool, err error) {
	first := !x.begun
	x.begun = true
	switch {
	case x.over:
		return nil, false, fail(MalformedRequest, "response after the end of the exchange")
	case first && response == nil:
		return []byte{}, false, nil
	case len(response) > MaxMessageBytes:
		x.over = true
		return nil, false, fail(MalformedRequest, "message is too long")
	}
	challenge, done, err = x.conversation.step(ctx, x, response)
	x.over = done || err != nil
	return challenge, done, err
}

// Identity returns who logged in, after Step returned done; the zero Key before.
func (x *Exchange) Identity() endpoint.Key { return x.identity }

// Technician reports, after Step returned done, that Input.Technician has let the client in, who is no endpoint: Identity is zero.
func (x *Exchange) Technician() bool { return x.technician }

// SecretMark returns the mark of the secret that the endpoint had when it logged in (endpoint.Secret.Mark), so that a change of the secret while a session is
// made is seen; nil before Step returned done.
func (x *Exchange) SecretMark() []byte { return x.mark }

// Intercepted reports, after Step returned done, that the client found TLS opened on the way and logged in all the same, as its policy lets it.
func (x *Exchange) Intercepted() bool { return x.intercepted }

// Claimed returns who the client says it is, for logs and diagnosis; the zero Key before it said so and where the name can name no endpoint.
func (x *Exchange) Claimed() endpoint.Key { return x.claimed }

// account is what is known of the endpoint that the client names. An unknown one has a key and nothing else.
type account struct {
	key     endpoint.Key
	secret  endpoint.Secret
	mark    []byte // of the secret
	known   bool
	enabled bool
}

// account looks up the endpoint with this user name. RFC 7622 folds the case of local parts; what is no endpoint id after that is an unknown user.
func (x *Exchange) account(ctx context.Context, user string) (account, error) {
	a := account{key: endpoint.Key{Domain: x.in.Domain, ID: foldASCII(user)}}
	if endpoint.CheckID(a.key.ID) != nil {
		return a, nil
	}
	x.claimed = a.key
	var err error
	a.secret, a.enabled, err = x.server.accounts.EndpointSecret(ctx, a.key)
	switch {
	case errors.Is(err, endpoint.ErrUnknown):
		return account{key: a.key}, nil
	case err != nil:
		return account{}, &Failure{Condition: TemporaryAuthFailure, Cause: fmt.Errorf("read secret of %s: %w", a.key, err)}
	}
	a.known, a.mark = true, a.secret.Mark()
	return a, nil
}

// admit decides once it is clear whether the client proved that it knows the secret of a. Nothing is told of an endpoint to those who do not know its secret,
// so proof comes first.
func (x *Exchange) admit(a account, proven bool, authzid string) error {
	switch {
	case !a.known:
		return &Failure{Condition: NotAuthorized, Cause: ErrUnknownEndpoint}
	case !proven:
		return &Failure{Condition: NotAuthorized, Cause: ErrWrongSecret}
	case !a.enabled:
		return fail(AccountDisabled, "endpoint is disabled")
	case authzid != "" && foldASCII(authzid) != a.key.JID():
		return fail(InvalidAuthzid, "endpoint asks to act as another")
	case authzid != "" && x.in.From != "" && foldASCII(x.in.From) != a.key.JID():
		return fail(InvalidAuthzid, "endpoint is another than its stream header says")
	}
	x.identity, x.mark = a.key, a.mark
	return nil
}

// foldASCII turns A-Z into a-z and nothing else: Unicode folding would turn other letters, such as the Kelvin sign, into ASCII.
func foldASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
