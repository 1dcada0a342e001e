package sasl

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/endpoint"
)

const seedBytes = 16

// Tokens keeps the tokens of fast logins (XEP-0484). Both methods may be called concurrently.
type Tokens interface {
	// FastTokens returns the tokens of one client of an endpoint, the zero value if it has none.
	FastTokens(ctx context.Context, k endpoint.Key, client string) (endpoint.FastTokens, error)
	// SaveFastTokens replaces them; the zero value removes them. They are durable when it returns nil. It returns endpoint.ErrUnknown or endpoint.ErrDisabled where the
	// endpoint may not log in any more, and stores nothing then.
	SaveFastTokens(ctx context.Context, k endpoint.Key, client string, t endpoint.FastTokens) error
}

// OfferTokens has clients log in by tokens that live this long, at least a second. It must be called before the first login.
func (s *Server) OfferTokens(tokens Tokens, lifetime time.Duration) {
	s.tokens, s.lifetime = tokens, lifetime
}

// OfferFast returns the names of the mechanisms that take a token on a stream, in order of preference; none where no tokens are handed out.
func (s *Server) OfferFast(in Input) []string {
	if s.tokens == nil || !in.TLS.Secure() {
		return nil
	}
	names := make([]string, 0, len(hashedMechanisms))
	for _, m := range hashedMechanisms {
		if _, ok := m.bound(in); ok {
			names = append(names, m.name)
		}
	}
	return names
}

// startFast finds the conversation of a fast mechanism.
func (s *Server) startFast(name string, in Input) (conversation, bool) {
	if s.tokens == nil || in.Client == "" || len(in.Client) > endpoint.MaxFastClientBytes {
		return nil, false
	}
	for _, m := range hashedMechanisms {
		if _, ok := m.bound(in); ok && m.name == name {
			return hashedToken{m}, true
		}
	}
	return nil, false
}

// tokensOf returns the tokens of a client; an unknown endpoint has none, and the store is asked all the same.
func (s *Server) tokensOf(ctx context.Context, a account, client string) (*endpoint.FastTokens, error) {
	t, err := s.tokens.FastTokens(ctx, a.key, client)
	if err != nil {
		return nil, &Failure{Condition: TemporaryAuthFailure, Cause: fmt.Errorf("read tokens of %s: %w", a.key, err)}
	}
	return &t, nil
}

// Token lets a client log in without its secret until it expires.
type Token struct {
	Text    string
	Expires time.Time
}

// Wish is what a client asks for about its tokens. The zero value asks for nothing.
type Wish struct {
	Mechanism  string // of a token that it would like; one that OfferFast does not return is not heard, nor one who logged in by a certificate or a key
	Invalidate bool   // the token by which it logged in shall be worth nothing
}

// Renew does what is due about the tokens of a client that has logged in, and returns the one that it gets; nil: none. It writes to the store at most once, and not
// at all for a login by a token that is neither new nor in the second half of its life. The error means that nothing was changed.
func (x *Exchange) Renew(ctx context.Context, w Wish) (*Token, error) {
	mechanism := x.mechanismFor(w)
	change := x.moved || x.byToken && w.Invalidate || mechanism != ""
	if x.identity == (endpoint.Key{}) || !change {
		return nil, nil
	}
	t, err := x.tokensBefore(ctx)
	if err != nil {
		return nil, err
	}
	if x.byToken && w.Invalidate {
		t.Current, t.New = endpoint.FastToken{}, endpoint.FastToken{}
	}
	if mechanism != "" {
		t.New = x.server.newToken(mechanism)
	}
	if t.Current.Exists() || t.New.Exists() {
		t.Mark = x.mark
	} else {
		t = &endpoint.FastTokens{}
	}
	switch err := x.server.tokens.SaveFastTokens(ctx, x.identity, x.in.Client, *t); {
	case errors.Is(err, endpoint.ErrUnknown), errors.Is(err, endpoint.ErrDisabled): // who looks next ends the session
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("store tokens of %s: %w", x.identity, err)
	case mechanism == "":
		return nil, nil
	}
	return &Token{Text: x.server.tokenText(x.identity, x.in.Client, t.New), Expires: t.New.Expires}, nil
}

// mechanismFor returns the mechanism of the token that the client gets: the one that it asks for, or that of a token that will expire.
func (x *Exchange) mechanismFor(w Wish) string {
	if _, ok := x.server.startFast(w.Mechanism, x.in); ok && !x.noTokens {
		return w.Mechanism
	}
	if x.byToken && !w.Invalidate && time.Until(x.tokens.Current.Expires) < x.server.lifetime/2 {
		return x.tokens.Current.Mechanism
	}
	return ""
}

// tokensBefore returns the tokens that the client has. Those of another secret are none.
func (x *Exchange) tokensBefore(ctx context.Context) (*endpoint.FastTokens, error) {
	if x.byToken {
		return x.tokens, nil
	}
	t, err := x.server.tokens.FastTokens(ctx, x.identity, x.in.Client)
	if err != nil {
		return nil, fmt.Errorf("read tokens of %s: %w", x.identity, err)
	}
	if string(t.Mark) != string(x.mark) {
		return &endpoint.FastTokens{}, nil
	}
	return &t, nil
}

func (s *Server) newToken(mechanism string) endpoint.FastToken {
	seed := make([]byte, seedBytes)
	rand.Read(seed) // never fails, see crypto/rand
	return endpoint.FastToken{Seed: seed, Mechanism: mechanism, Expires: time.Now().Add(s.lifetime).UTC().Truncate(time.Second)}
}
