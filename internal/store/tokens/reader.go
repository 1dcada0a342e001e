package tokens

import (
	"context"
	"database/sql"

	"signalbox/internal/access"
	"signalbox/internal/store/query"
)

// Reader reads on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	find, list *sql.Stmt
}

// NewReader prepares the queries.
func NewReader(ctx context.Context, db *sql.DB) (*Reader, error) {
	r := &Reader{}
	return r, query.Prepare(ctx, db, map[string]**sql.Stmt{selectToken + " WHERE hash = ?": &r.find, selectToken + " ORDER BY name": &r.list})
}

// ByHash returns one, or access.ErrUnknownToken.
func (r *Reader) ByHash(ctx context.Context, hash [32]byte) (access.Token, error) {
	return query.One(ctx, r.find, tokenColumns, tokenOf, access.ErrUnknownToken, hash[:])
}

// Tokens returns all, in the order of their names.
func (r *Reader) Tokens(ctx context.Context) ([]access.Token, error) {
	return query.List(ctx, r.list, tokenColumns, tokenOf)
}
