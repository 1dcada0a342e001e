package store

import (
	"context"

	"signalbox/internal/access"
)

// CreateToken implements access.Store.
func (s *Store) CreateToken(ctx context.Context, k access.Token) error {
	return s.try(ctx, func(t *tx) error { return t.token.Insert(&k) }, access.ErrTokenName)
}

// RevokeToken implements access.Store. An id goes before a name.
func (s *Store) RevokeToken(ctx context.Context, idOrName string) error {
	return s.try(ctx, func(t *tx) error { return t.token.Delete(idOrName) }, access.ErrUnknownToken)
}

// TokenByHash implements access.Store.
func (s *Store) TokenByHash(ctx context.Context, hash [32]byte) (access.Token, error) {
	return s.reader.tokens.ByHash(ctx, hash)
}

// Tokens implements access.Store.
func (s *Store) Tokens(ctx context.Context) ([]access.Token, error) {
	return s.reader.tokens.Tokens(ctx)
}
