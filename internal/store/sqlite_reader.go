package store

import (
	"context"
	"database/sql"
	"errors"

	"signalbox/internal/access"
	"signalbox/internal/store/accounts"
	"signalbox/internal/store/campaigns"
	"signalbox/internal/store/endpoints"
	"signalbox/internal/store/query"
	"signalbox/internal/store/webhooks"
)

// reader answers queries on connections of its own, which see what is committed and never wait for the writer. All methods may be called concurrently.
type reader struct {
	db    *sql.DB // for what somebody's login or delivery waits for
	lists *sql.DB // for what may read many rows: the lists of the API and retention

	findToken, listTokens                  *sql.Stmt
	findPush, listWaiting, countOpen       *sql.Stmt
	listOfEndpoint, listAll                *sql.Stmt
	listState, listInterrupted             *sql.Stmt
	lastPush, oldPushes                    *sql.Stmt
	findFanout, countTargets, findKey      *sql.Stmt
	listTargets, listRefused, findRefused  *sql.Stmt
	listEvents, eventBounds, slowestReader *sql.Stmt
	lastOld                                [len(retainedTables)]*sql.Stmt
	ofEndpoint, ahead                      *sql.Stmt // of timelines
	accounts                               *accounts.Reader
	campaigns                              campaigns.Reader
	webhooks                               *webhooks.Reader
	endpoints                              *endpoints.Reader
	countTag, countMembers, listMembers    *sql.Stmt
	anyDue, anyLate                        *sql.Stmt
}

// queries are the texts of the reader's statements, with numbered parameters where one is used twice.
const (
	queryWaiting = "SELECT p.id, p.type, p.binary, p.priority, p.ack, p.created, p.expires, p.collapse, b.body FROM push p LEFT JOIN push_body b ON b.id = coalesce(p.fanout, p.id)" +
		" WHERE p.ep = " + endpoints.NumOf + " AND p.place < 3 AND (p.place, p.id) > (?3, ?4) AND p.expires > p.created ORDER BY p.place, p.id LIMIT ?5"
	queryCountOpen = "SELECT count(*) FROM push WHERE place < 4 AND ep = " + endpoints.NumOf

	// What is final lies in the order of the ids already; the rest is bounded by the queue.
	queryOfEndpoint = selectStatus + " WHERE p.id IN (SELECT id FROM (SELECT id FROM push WHERE ep = " + endpoints.NumOf + " AND place = 4 AND id < ?3" +
		" AND (?4 < 0 OR state = ?4) ORDER BY id DESC LIMIT ?5) UNION ALL SELECT id FROM push WHERE ep = " + endpoints.NumOf + " AND place < 4 AND id < ?3" +
		" AND (?4 < 0 OR state = ?4)) ORDER BY p.id DESC LIMIT ?5"
	queryAll   = selectStatus + " WHERE e.domain = ?1 AND p.id < ?3 AND (?4 < 0 OR p.state = ?4) ORDER BY p.id DESC LIMIT ?5"
	queryState = selectStatus + " WHERE e.domain = ?1 AND p.id < ?3 AND p.state = ?4 ORDER BY p.id DESC LIMIT ?5"

	queryInterrupted = "SELECT id FROM push INDEXED BY push_expiry WHERE place < 4 AND (state = 1 OR state = 0 AND (expires = created OR collapse IS NOT NULL" +
		" OR EXISTS (SELECT 1 FROM fanout f WHERE f.id = push.fanout AND f.late = 3))) ORDER BY id"
)

func newReader(ctx context.Context, db, lists *sql.DB) (*reader, error) {
	r := &reader{db: db, lists: lists, campaigns: campaigns.Reader{DB: lists}}
	err := query.Prepare(ctx, db, map[string]**sql.Stmt{
		selectToken + " WHERE hash = ?":                   &r.findToken,
		selectToken + " ORDER BY name":                    &r.listTokens,
		selectStatus + " WHERE p.id = ? AND e.domain = ?": &r.findPush,
		queryWaiting:     &r.listWaiting,
		queryCountOpen:   &r.countOpen,
		queryInterrupted: &r.listInterrupted,
		queryAnyDue:      &r.anyDue,
		queryAnyLate:     &r.anyLate,
		selectFanout + " WHERE id = ? AND domain = ?": &r.findFanout,
		queryFindKey: &r.findKey,
		selectRefused + " WHERE r.id = ?1 AND f.domain = ?2": &r.findRefused,
	})
	listing := map[string]**sql.Stmt{
		queryOfEndpoint:    &r.listOfEndpoint,
		queryAll:           &r.listAll,
		queryState:         &r.listState,
		queryLastPush:      &r.lastPush,
		queryOldPushes:     &r.oldPushes,
		queryCountTargets:  &r.countTargets,
		queryTargets:       &r.listTargets,
		queryRefused:       &r.listRefused,
		queryEvents:        &r.listEvents,
		queryEventBounds:   &r.eventBounds,
		querySlowestReader: &r.slowestReader,
		queryCountTag:      &r.countTag,
		queryCountMembers:  &r.countMembers,
		queryMemberIDs:     &r.listMembers,

		queryEndpointEvents: &r.ofEndpoint,
		queryAhead:          &r.ahead,
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
	r.endpoints, err = endpoints.NewReader(ctx, db, lists)
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
