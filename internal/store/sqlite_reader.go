package store

import (
	"context"
	"database/sql"
	"errors"

	"signalbox/internal/access"
	"signalbox/internal/store/accounts"
	"signalbox/internal/store/campaigns"
	"signalbox/internal/store/endpoints"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/pushes"
	"signalbox/internal/store/query"
	"signalbox/internal/store/webhooks"
)

// reader answers queries on connections of its own, which see what is committed and never wait for the writer. All methods may be called concurrently.
type reader struct {
	db    *sql.DB // for what somebody's login or delivery waits for
	lists *sql.DB // for what may read many rows: the lists of the API and retention

	findToken, listTokens *sql.Stmt
	lastPush, oldPushes   *sql.Stmt
	lastOld               [len(retainedTables)]*sql.Stmt
	accounts              *accounts.Reader
	campaigns             campaigns.Reader
	webhooks              *webhooks.Reader
	endpoints             *endpoints.Reader
	pushes                *pushes.Reader
	outbox                *outbox.Reader
}

func newReader(ctx context.Context, db, lists *sql.DB) (*reader, error) {
	r := &reader{db: db, lists: lists, campaigns: campaigns.Reader{DB: lists}}
	err := query.Prepare(ctx, db, map[string]**sql.Stmt{
		selectToken + " WHERE hash = ?": &r.findToken,
		selectToken + " ORDER BY name":  &r.listTokens,
	})
	listing := map[string]**sql.Stmt{
		queryLastPush:  &r.lastPush,
		queryOldPushes: &r.oldPushes,
	}
	for i, table := range retainedTables {
		listing[queryLastOld(table)] = &r.lastOld[i]
	}
	if err := errors.Join(err, query.Prepare(ctx, lists, listing)); err != nil {
		return r, err
	}
	if r.accounts, err = accounts.NewReader(ctx, db, lists); err != nil {
		return r, err
	}
	if r.webhooks, err = webhooks.NewReader(ctx, lists); err != nil {
		return r, err
	}
	if r.endpoints, err = endpoints.NewReader(ctx, db, lists); err != nil {
		return r, err
	}
	if r.pushes, err = pushes.NewReader(ctx, db, lists); err != nil {
		return r, err
	}
	r.outbox, err = outbox.NewReader(ctx, lists)
	return r, err
}

// close closes the connections. Statements end with them.
func (r *reader) close() error { return errors.Join(r.db.Close(), r.lists.Close()) }

func (r *reader) tokenByHash(ctx context.Context, hash [32]byte) (access.Token, error) {
	return query.One(ctx, r.findToken, tokenColumns, tokenOf, access.ErrUnknownToken, hash[:])
}

func (r *reader) tokens(ctx context.Context) ([]access.Token, error) {
	return query.List(ctx, r.listTokens, tokenColumns, tokenOf)
}
