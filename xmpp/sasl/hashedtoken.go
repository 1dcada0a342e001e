package sasl

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"
	"unicode/utf8"

	"signalbox/internal/endpoint"
)

// The mechanisms of XEP-0484, by the channel binding that they carry.
const (
	HashedExporter = "HT-SHA-256-EXPR"
	HashedEndPoint = "HT-SHA-256-ENDP"
	HashedNone     = "HT-SHA-256-NONE"
)

// hashedMechanism is one row of the table of fast mechanisms.
type hashedMechanism struct {
	name    string
	binding string // channel-binding type; empty: none
}

// hashedMechanisms stands in order of preference, the strongest first.
var hashedMechanisms = [...]hashedMechanism{{HashedExporter, BindExporter}, {HashedEndPoint, BindEndPoint}, {HashedNone, ""}}

// bound returns what a client binds to; false: the mechanism is not offered on this connection.
func (m hashedMechanism) bound(in Input) ([]byte, bool) {
	if m.binding == "" {
		return nil, in.TLS.Secure()
	}
	data := bindingData(in.TLS, m.binding)
	return data, data != nil
}

// hashedToken is HT-SHA-256-* (draft-schmaus-kitten-sasl-ht-09 section 3) for one login: the client shows in one message that it has the token.
type hashedToken struct{ mechanism hashedMechanism }

func (h hashedToken) step(ctx context.Context, x *Exchange, response []byte) ([]byte, bool, error) {
	user, proof, err := parseHashed(response)
	if err != nil {
		return nil, false, &Failure{Condition: MalformedRequest, Cause: err}
	}
	a, err := x.account(ctx, user)
	if err != nil {
		return nil, false, err
	}
	tokens, err := x.server.tokensOf(ctx, a, x.in.Client) // after the secret: one that changes in between takes them away
	if err != nil {
		return nil, false, err
	}
	bound, _ := h.mechanism.bound(x.in)
	used, token := x.server.match(a, x.in.Client, tokens, h.mechanism.name, bound, proof)
	switch {
	case used == nil:
		return nil, false, &Failure{Condition: NotAuthorized, Cause: ErrWrongToken}
	case !used.Expires.After(time.Now()):
		return nil, false, fail(CredentialsExpired, "the token has expired")
	case x.in.Count != 0 && x.in.Count <= used.Count:
		return nil, false, fail(NotAuthorized, "an attempt of this number was seen before")
	}
	if err := x.admit(a, true, ""); err != nil {
		return nil, false, err
	}
	used.Count = max(used.Count, x.in.Count)
	x.tokens, x.byToken, x.moved = tokens, true, used == &tokens.New
	if x.moved {
		tokens.Current, tokens.New = tokens.New, endpoint.FastToken{}
	}
	return hashWith(token, "Responder", bound), true, nil
}

// parseHashed reads authcid NUL hash.
func parseHashed(message []byte) (user string, proof []byte, err error) {
	name, proof, ok := bytes.Cut(message, []byte{0})
	switch {
	case !ok || len(name) == 0:
		return "", nil, errors.New("message has no user name before a NUL byte")
	case !utf8.Valid(name):
		return "", nil, errors.New("user name is not UTF-8")
	case len(proof) != sha256.Size:
		return "", nil, errors.New("hash has the wrong length")
	}
	return string(name), proof, nil
}

// match returns the token that proof was made with, and its text: the new one comes before the current one (XEP-0484 section 5.1); nil: none of this mechanism.
// Tokens of another secret are none.
func (s *Server) match(a account, client string, t *endpoint.FastTokens, mechanism string, bound, proof []byte) (used *endpoint.FastToken, text string) {
	if subtle.ConstantTimeCompare(t.Mark, a.mark) != 1 {
		return nil, ""
	}
	for _, slot := range [...]*endpoint.FastToken{&t.New, &t.Current} {
		if !slot.Exists() || slot.Mechanism != mechanism {
			continue
		}
		text := s.tokenText(a.key, client, *slot)
		if hmac.Equal(hashWith(text, "Initiator", bound), proof) {
			return slot, text
		}
	}
	return nil, ""
}

// tokenText makes the token that the seed stands for.
func (s *Server) tokenText(k endpoint.Key, client string, t endpoint.FastToken) string {
	return base64.RawURLEncoding.EncodeToString(s.derive("fast token", k.JID(), client, t.Mechanism, base64.RawURLEncoding.EncodeToString(t.Seed)))
}

// hashWith is HMAC(token, role || cb-data).
func hashWith(token, role string, bound []byte) []byte {
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte(role))
	m.Write(bound)
	return m.Sum(nil)
}
