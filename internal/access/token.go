// Package access decides who may do what: API tokens and their scopes.
package access

import (
	"context"
	"errors"
	"time"
)

// Scope is what a token may do.
type Scope string

// The scopes of SPEC section 8. ScopeAdmin includes all others.
const (
	ScopePush      Scope = "push"
	ScopeRead      Scope = "read"
	ScopeEndpoints Scope = "endpoints"
	ScopeSessions  Scope = "sessions"
	ScopeGateway   Scope = "gateway"
	ScopeAdmin     Scope = "admin"
)

// Token is an API token as it is kept: its secret is stored as a hash only.
type Token struct {
	ID      string // "tok_..."
	Name    string // unique among the tokens that are not revoked
	Scopes  []Scope
	Hash    [32]byte // SHA-256 of the secret
	Created time.Time
}

// Errors of tokens.
var (
	ErrUnknownToken = errors.New("unknown token")
	ErrTokenName    = errors.New("a token of this name exists already")
)

// Store is durable storage of tokens. All methods may be called concurrently.
type Store interface {
	// CreateToken stores t, or returns ErrTokenName.
	CreateToken(ctx context.Context, t Token) error
	// TokenByHash returns the token whose secret has this SHA-256, or ErrUnknownToken.
	TokenByHash(ctx context.Context, hash [32]byte) (Token, error)
	// Tokens returns all tokens by name.
	Tokens(ctx context.Context) ([]Token, error)
	// RevokeToken deletes the token with this id or name, or returns ErrUnknownToken.
	RevokeToken(ctx context.Context, idOrName string) error
}
