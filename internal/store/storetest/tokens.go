package storetest

import (
	"crypto/sha256"
	"errors"
	"testing"

	"signalbox/internal/access"
)

func testTokens(t *testing.T, s Subject) {
	token := func(id, name string) access.Token {
		return access.Token{ID: id, Name: name, Scopes: []access.Scope{access.ScopePush, access.ScopeRead}, Hash: sha256.Sum256([]byte(id)), Created: day}
	}
	b, a := token("tok_1", "b"), token("tok_2", "a")
	odd := token("tok_3", "tok_1") // its name is another's id
	for _, k := range []access.Token{b, a, odd} {
		noError(t, s.CreateToken(t.Context(), k))
	}
	if err := s.CreateToken(t.Context(), token("tok_4", "a")); !errors.Is(err, access.ErrTokenName) {
		t.Errorf("CreateToken with a used name = %v, want ErrTokenName", err)
	}
	all, err := s.Tokens(t.Context())
	noError(t, err)
	diff(t, "tokens", all, []access.Token{a, b, odd})
	got, err := s.TokenByHash(t.Context(), b.Hash)
	noError(t, err)
	diff(t, "token", got, b)
	if _, err := s.TokenByHash(t.Context(), [32]byte{}); !errors.Is(err, access.ErrUnknownToken) {
		t.Errorf("TokenByHash = %v, want ErrUnknownToken", err)
	}

	noError(t, s.RevokeToken(t.Context(), "tok_1")) // the id, not the name
	noError(t, s.RevokeToken(t.Context(), "a"))
	all, err = s.Tokens(t.Context())
	noError(t, err)
	diff(t, "tokens", all, []access.Token{odd})
	if err := s.RevokeToken(t.Context(), "a"); !errors.Is(err, access.ErrUnknownToken) {
		t.Errorf("RevokeToken = %v, want ErrUnknownToken", err)
	}
	noError(t, s.CreateToken(t.Context(), token("tok_5", "a"))) // the name is free again
}
