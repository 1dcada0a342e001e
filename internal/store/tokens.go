package store

import (
	"context"

	"signalbox/internal/access"
	"signalbox/internal/audit"
)

// tokenAct is what the audit trail tells of a token.
type tokenAct struct {
	Name   string         `json:"name"`
	Scopes []access.Scope `json:"scopes,omitempty"`
}

// CreateToken implements access.Store. Who does it is said by audit.By.
func (s *Store) CreateToken(ctx context.Context, k access.Token) error {
	return s.try(ctx, func(t *tx) error {
		if err := t.token.Insert(&k); err != nil {
			return err
		}
		return t.chainAct(audit.ActorOf(ctx), audit.TokenCreated, k.ID, tokenAct{k.Name, k.Scopes})
	}, access.ErrTokenName)
}

// RevokeToken implements access.Store. An id goes before a name. Who does it is said by audit.By.
func (s *Store) RevokeToken(ctx context.Context, idOrName string) error {
	return s.try(ctx, func(t *tx) error {
		id, name, err := t.token.Delete(idOrName)
		if err != nil {
			return err
		}
		return t.chainAct(audit.ActorOf(ctx), audit.TokenRevoked, id, tokenAct{Name: name})
	}, access.ErrUnknownToken)
}

// TokenByHash implements access.Store.
func (s *Store) TokenByHash(ctx context.Context, hash [32]byte) (access.Token, error) {
	return s.reader.tokens.ByHash(ctx, hash)
}

// Tokens implements access.Store.
func (s *Store) Tokens(ctx context.Context) ([]access.Token, error) {
	return s.reader.tokens.Tokens(ctx)
}
