package store

import (
	"context"

	"signalbox/internal/access"
)

// createToken stores an API token.
type createToken struct {
	token  access.Token
	result error
}

// CreateToken implements access.Store.
func (s *Store) CreateToken(ctx context.Context, t access.Token) error {
	op := &createToken{token: t}
	if err := s.do(ctx, op); err != nil {
		return err
	}
	return op.result
}

func (op *createToken) apply(t *tx) error {
	op.result = nil
	created, err := t.insertToken(&op.token)
	if err == nil && !created {
		op.result = access.ErrTokenName
	}
	return err
}

// revokeToken deletes an API token.
type revokeToken struct {
	idOrName string
	result   error
}

// RevokeToken implements access.Store. An id goes before a name.
func (s *Store) RevokeToken(ctx context.Context, idOrName string) error {
	op := &revokeToken{idOrName: idOrName}
	if err := s.do(ctx, op); err != nil {
		return err
	}
	return op.result
}

func (op *revokeToken) apply(t *tx) error {
	op.result = nil
	deleted, err := t.deleteToken(op.idOrName)
	if err == nil && !deleted {
		op.result = access.ErrUnknownToken
	}
	return err
}

// TokenByHash implements access.Store.
func (s *Store) TokenByHash(ctx context.Context, hash [32]byte) (access.Token, error) {
	return s.reader.tokenByHash(ctx, hash)
}

// Tokens implements access.Store.
func (s *Store) Tokens(ctx context.Context) ([]access.Token, error) {
	return s.reader.tokens(ctx)
}
