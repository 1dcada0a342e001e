package store

import (
	"context"
	"database/sql"
	"errors"

	"signalbox/internal/store/accounts"
	"signalbox/internal/store/audit"
	"signalbox/internal/store/campaigns"
	"signalbox/internal/store/endpoints"
	"signalbox/internal/store/enrolments"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/pushes"
	"signalbox/internal/store/query"
	"signalbox/internal/store/remotesessions"
	"signalbox/internal/store/technicians"
	"signalbox/internal/store/tokens"
	"signalbox/internal/store/turnsessions"
	"signalbox/internal/store/webhooks"
)

// reader answers queries on connections of its own, which see what is committed and never wait for the writer. All methods may be called concurrently.
type reader struct {
	db    *sql.DB // for what somebody's login or delivery waits for
	lists *sql.DB // for what may read many rows: the lists of the API and retention

	lastOld    [len(retainedTables)]*sql.Stmt
	accounts   *accounts.Reader
	audit      audit.Reader
	campaigns  campaigns.Reader
	endpoints  *endpoints.Reader
	enrolments enrolments.Reader
	outbox     *outbox.Reader
	pushes     *pushes.Reader
	sessions   remotesessions.Reader
	staff      *technicians.Reader
	tokens     *tokens.Reader
	turn       turnsessions.Reader
	webhooks   *webhooks.Reader
}

// newReader prepares the queries. With an error it returns what has to be closed.
func newReader(ctx context.Context, db, lists *sql.DB, recent *pushes.Recent) (*reader, error) {
	r := &reader{
		db: db, lists: lists, campaigns: campaigns.Reader{DB: lists}, turn: turnsessions.Reader{DB: lists}, sessions: remotesessions.Reader{DB: lists}, audit: audit.Reader{DB: lists},
		enrolments: enrolments.Reader{DB: lists},
	}
	for _, prepare := range []func() error{
		func() (err error) { r.accounts, err = accounts.NewReader(ctx, db, lists); return err },
		func() (err error) { r.endpoints, err = endpoints.NewReader(ctx, db, lists); return err },
		func() (err error) { r.outbox, err = outbox.NewReader(ctx, lists); return err },
		func() (err error) { r.pushes, err = pushes.NewReader(ctx, db, lists, recent); return err },
		func() (err error) { r.staff, err = technicians.NewReader(ctx, db); return err },
		func() (err error) { r.tokens, err = tokens.NewReader(ctx, db); return err },
		func() (err error) { r.webhooks, err = webhooks.NewReader(ctx, lists); return err },
		func() error { return r.prepareOld(ctx) },
	} {
		if err := prepare(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// prepareOld prepares what asks for old rows.
func (r *reader) prepareOld(ctx context.Context) error {
	queries := map[string]**sql.Stmt{}
	for i, table := range retainedTables {
		queries[queryLastOld(table)] = &r.lastOld[i]
	}
	return query.Prepare(ctx, r.lists, queries)
}

// close closes the connections. Statements end with them.
func (r *reader) close() error { return errors.Join(r.db.Close(), r.lists.Close()) }
