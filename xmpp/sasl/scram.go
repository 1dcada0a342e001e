package sasl

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
)

const serverNonceBytes = 18

// scram is the server's side of RFC 5802 section 3 for one login. User names are not prepared by SASLprep: endpoint ids and chosen secrets are ASCII, which it
// leaves alone.
type scram struct {
	hash        scramHash
	plus        bool
	serverNonce string

	// Set by the client's first message.
	account account
	keys    scramKeys
	authzid string
	nonce   string // the client's and ours
	binding string // what c= must be
	auth    []byte // AuthMessage up to the client's final message
}

func newScram(h scramHash, plus bool) *scram {
	b := make([]byte, serverNonceBytes)
	rand.Read(b) // never fails, see crypto/rand
	return &scram{hash: h, plus: plus, serverNonce: base64.RawURLEncoding.EncodeToString(b)}
}

func (s *scram) step(ctx context.Context, x *Exchange, response []byte) ([]byte, bool, error) {
	if s.auth == nil {
		challenge, err := s.first(ctx, x, string(response))
		return challenge, false, err
	}
	success, err := s.final(x, string(response))
	return success, err == nil, err
}

// first answers client-first-message with server-first-message.
func (s *scram) first(ctx context.Context, x *Exchange, message string) ([]byte, error) {
	m, err := parseClientFirst(message)
	if err != nil {
		return nil, &Failure{Condition: MalformedRequest, Cause: err}
	}
	if s.binding, err = s.expectBinding(m, x); err != nil {
		return nil, err
	}
	if s.account, err = x.account(ctx, m.user); err != nil {
		return nil, err
	}
	s.keys = s.hash.keysOf(x.server, s.account)
	s.authzid, s.nonce = m.authzid, m.nonce+s.serverNonce

	challenge := make([]byte, 0, len(s.nonce)+base64.StdEncoding.EncodedLen(len(s.keys.Salt)+s.hash.size)+40)
	challenge = append(append(challenge, "r="...), s.nonce...)
	challenge = base64.StdEncoding.AppendEncode(append(challenge, ",s="...), s.keys.Salt)
	challenge = strconv.AppendInt(append(challenge, ",i="...), int64(s.keys.Iterations), 10)
	challenge = base64.StdEncoding.AppendEncode(append(challenge, ",h="...), s.hash.sum(offered(x.in)))

	s.auth = make([]byte, 0, len(m.bare)+len(challenge)+len(s.binding)+len(s.nonce)+8)
	s.auth = append(append(s.auth, m.bare...), ',')
	s.auth = append(append(s.auth, challenge...), ',')
	return challenge, nil
}

// expectBinding returns what c= of the client's final message must be, once the client's flag is right for this connection, RFC 5802 section 6.
func (s *scram) expectBinding(m clientFirst, x *Exchange) (string, error) {
	data := []byte(m.header)
	switch m.flag {
	case 'p':
		if !s.plus {
			return "", fail(MalformedRequest, "channel binding by a mechanism without -PLUS")
		}
		bound := bindingData(x.in.TLS, m.bindingType)
		if bound == nil {
			return "", &Failure{Condition: NotAuthorized, Cause: fmt.Errorf("%w: the type was not announced", ErrBinding)}
		}
		data = append(data, bound...)
	case 'y', 'n':
		if s.plus {
			return "", fail(MalformedRequest, "no channel binding by a mechanism with -PLUS")
		}
		if m.flag == 'y' && hasBinding(x.in.TLS) {
			return "", &Failure{Condition: NotAuthorized, Cause: fmt.Errorf("%w: the client says that we do not offer -PLUS, so somebody changed the list of mechanisms on its way", ErrBinding)}
		}
	}
	return base64.StdEncoding.EncodeToString(data), nil
}

// final checks client-final-message and returns server-final-message.
func (s *scram) final(x *Exchange, message string) ([]byte, error) {
	m, err := parseClientFinal(message, s.hash.size)
	if err != nil {
		return nil, &Failure{Condition: MalformedRequest, Cause: err}
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(m.binding), []byte(s.binding)) != 1:
		return nil, &Failure{Condition: NotAuthorized, Cause: ErrBinding}
	case subtle.ConstantTimeCompare([]byte(m.nonce), []byte(s.nonce)) != 1:
		return nil, fail(NotAuthorized, "nonce is not the one of this login")
	}
	s.auth = append(s.auth, m.withoutProof...)
	if err := x.admit(s.account, s.proves(m.proof), s.authzid); err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode([]byte("v="), s.hash.hmac(s.keys.ServerKey, s.auth)), nil
}

// proves reports whether proof was made with the secret: H(ClientProof XOR ClientSignature) is StoredKey, RFC 5802 section 3.
func (s *scram) proves(proof []byte) bool {
	clientKey := s.hash.hmac(s.keys.StoredKey, s.auth)
	subtle.XORBytes(clientKey, clientKey, proof)
	return hmac.Equal(s.hash.sum(clientKey), s.keys.StoredKey)
}
