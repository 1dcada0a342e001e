package pushes

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"math"
	"slices"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/endpoints"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/query"
)

const (
	// Each query of what an endpoint has takes its recent pushes as a JSON array, see Recent. What waits is asked for in two: a page of a queue is read in order, and the
	// recent ones are few.
	selectWaiting = "SELECT p.id, p.type, p.binary, p.priority, p.ack, p.created, p.expires, p.collapse, b.body FROM "
	queryWaiting  = selectWaiting + "queue q CROSS JOIN push p ON p.id = q.id LEFT JOIN push_body b ON b.id = coalesce(p.fanout, p.id)" +
		" WHERE q.ep = " + endpoints.NumOf + " AND q.place < 3 AND (q.place, q.id) > (?3, ?4) AND p.expires > p.created ORDER BY q.place, q.id LIMIT ?5"
	queryWaitingRecent = selectWaiting + "json_each(?6) j CROSS JOIN push p ON p.id = j.value LEFT JOIN push_body b ON b.id = coalesce(p.fanout, p.id)" +
		" WHERE p.ep = " + endpoints.NumOf + " AND p.place < 3 AND (p.place, p.id) > (?3, ?4) AND p.expires > p.created ORDER BY p.place, p.id LIMIT ?5"
	waitingColumns = 9

	// recentOf are the recent pushes of an endpoint that are not in the table of queues.
	recentOf = " json_each(?5) j CROSS JOIN push p ON p.id = j.value WHERE p.ep = " + endpoints.NumOf +
		" AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.ep = p.ep AND q.place = p.place AND q.id = p.id)"

	queryCountOpen = "SELECT (SELECT count(*) FROM queue WHERE place < 4 AND ep = " + endpoints.NumOf + ") + (SELECT count(*) FROM" + recentOf + " AND p.place < 4)"

	// What is final lies in the order of the ids already; the rest is bounded by the queue.
	queryOfEndpoint = selectStatus + " WHERE p.id IN (SELECT id FROM (SELECT q.id FROM queue q WHERE q.ep = " + endpoints.NumOf + " AND q.place = 4 AND q.id < ?3" +
		inState + " ORDER BY q.id DESC LIMIT ?5) UNION ALL SELECT q.id FROM queue q WHERE q.ep = " + endpoints.NumOf + " AND q.place < 4 AND q.id < ?3" + inState +
		" UNION ALL SELECT value FROM json_each(?6)) AND p.id < ?3 AND p.ep = " + endpoints.NumOf + " AND (?4 < 0 OR p.state = ?4) ORDER BY p.id DESC LIMIT ?5"
	inState = " AND (?4 < 0 OR (SELECT state FROM push WHERE id = q.id) = ?4)"

	queryAll   = selectStatus + " WHERE e.domain = ?1 AND p.id < ?3 AND (?4 < 0 OR p.state = ?4) ORDER BY p.id DESC LIMIT ?5"
	queryState = selectStatus + " WHERE e.domain = ?1 AND p.id < ?3 AND p.state = ?4 ORDER BY p.id DESC LIMIT ?5"

	queryInterrupted = "SELECT id FROM push INDEXED BY push_expiry WHERE place < 4 AND (state = 1 OR state = 0 AND (expires = created OR collapse IS NOT NULL" +
		" OR EXISTS (SELECT 1 FROM fanout f WHERE f.id = push.fanout AND f.late = 3))) ORDER BY id"

	queryAhead = "SELECT (SELECT count(*) FROM queue WHERE ep = " + endpoints.NumOf + " AND place < 3 AND (place, id) < (?3, ?4)) + (SELECT count(*) FROM" + recentOf +
		" AND p.place < 3 AND (p.place, p.id) < (?3, ?4))"
)

// Reader reads on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	recent *Recent

	find, waiting, waitingRecent, countOpen      *sql.Stmt
	ofEndpoint, all, inState, interrupted, ahead *sql.Stmt
	findFanout, countTargets, findKey            *sql.Stmt
	listTargets, listRefused, findRefused        *sql.Stmt
	countTag, countMembers, listMembers          *sql.Stmt
	anyDue, anyLate                              *sql.Stmt
	over, newest                                 *sql.Stmt
}

// NewReader prepares the queries: on db for what somebody's delivery waits for, on lists for the rest. recent is what the one writer knows.
func NewReader(ctx context.Context, db, lists *sql.DB, recent *Recent) (*Reader, error) {
	r := &Reader{recent: recent}
	err := query.Prepare(ctx, db, map[string]**sql.Stmt{
		selectStatus + " WHERE p.id = ? AND e.domain = ?": &r.find,
		queryWaiting:       &r.waiting,
		queryWaitingRecent: &r.waitingRecent,
		queryCountOpen:     &r.countOpen,
		queryInterrupted:   &r.interrupted,
		queryAnyDue:        &r.anyDue,
		queryAnyLate:       &r.anyLate,
		selectFanout + " WHERE id = ? AND domain = ?": &r.findFanout,
		queryFindKey: &r.findKey,
		selectRefused + " WHERE r.id = ?1 AND f.domain = ?2": &r.findRefused,
	})
	if err != nil {
		return nil, err
	}
	return r, query.Prepare(ctx, lists, map[string]**sql.Stmt{
		queryOfEndpoint: &r.ofEndpoint, queryAll: &r.all, queryState: &r.inState, queryAhead: &r.ahead, queryCountTargets: &r.countTargets, queryTargets: &r.listTargets,
		queryRefused: &r.listRefused, queryCountTag: &r.countTag, queryCountMembers: &r.countMembers, queryMemberIDs: &r.listMembers,
		queryOldPushes: &r.over, queryLastPush: &r.newest,
	})
}

// Push returns one push without its payload, or a target that was refused, or push.ErrUnknown.
func (r *Reader) Push(ctx context.Context, domain string, id push.ID) (push.Status, error) {
	st, err := query.One(ctx, r.find, statusColumns, statusOf, push.ErrUnknown, int64(id), domain)
	if errors.Is(err, push.ErrUnknown) {
		return query.One(ctx, r.findRefused, refusedColumns, refusedOf, push.ErrUnknown, int64(id), domain)
	}
	return st, err
}

// Waiting returns what waits for an endpoint, as push.Reader has it.
func (r *Reader) Waiting(ctx context.Context, k endpoint.Key, after push.Cursor, limit int) ([]push.Push, error) {
	recent := r.recent.Of(k) // before anything is read
	args := []any{k.Domain, k.ID, int64(after.Priority), int64(after.ID), limit}
	var young []push.Push
	if recent != noRecent { // first: what is filed meanwhile is found in the table
		var err error
		if young, err = query.List(ctx, r.waitingRecent, waitingColumns, waitingOf(k), append(args, recent)...); err != nil {
			return nil, err
		}
	}
	all, err := query.List(ctx, r.waiting, waitingColumns, waitingOf(k), args...)
	if err != nil || len(young) == 0 {
		return all, err
	}
	return firstOf(append(all, young...), limit), nil
}

// noRecent is the JSON array of no push.
const noRecent = "[]"

// waitingOf reads the columns of selectWaiting.
func waitingOf(k endpoint.Key) func(row []driver.Value) (push.Push, error) {
	return func(row []driver.Value) (push.Push, error) {
		created, expires := direct.Time(direct.Int(row[5])), direct.Time(direct.Int(row[6]))
		return push.Push{
			ID: push.ID(direct.Int(row[0])), To: k, Type: direct.Text(row[1]), Payload: direct.Bytes(row[8]), Binary: direct.Int(row[2]) == formBinary,
			Message: direct.Int(row[2]) == formMessage, Priority: push.Priority(direct.Int(row[3])), Ack: push.Ack(direct.Int(row[4])), TTL: expires.Sub(created), Created: created,
			CollapseKey: direct.Text(row[7]),
		}, nil
	}
}

// firstOf returns the first pushes in the order in which they wait, each once.
func firstOf(all []push.Push, limit int) []push.Push {
	slices.SortFunc(all, func(a, b push.Push) int { return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID)) })
	all = slices.CompactFunc(all, func(a, b push.Push) bool { return a.ID == b.ID })
	return all[:min(limit, len(all))]
}

// CountWaiting returns how many pushes of an endpoint are not final.
func (r *Reader) CountWaiting(ctx context.Context, k endpoint.Key) (n int, err error) {
	err = r.countOpen.QueryRowContext(ctx, k.Domain, k.ID, nil, nil, r.recent.Of(k)).Scan(&n)
	return n, failure.Of(err)
}

// Pushes returns pushes, the newest first, as push.Reader has it.
func (r *Reader) Pushes(ctx context.Context, k endpoint.Key, state push.State, before push.ID, limit int) ([]push.Status, error) {
	code := int64(-1)
	if state != "" {
		if code = StateCode(state); code < 0 {
			return nil, nil
		}
	}
	if before == 0 {
		before = math.MaxInt64
	}
	// One statement for each index that can answer.
	args := []any{k.Domain, k.ID, int64(before), code, limit}
	switch {
	case k.ID != "":
		return query.List(ctx, r.ofEndpoint, statusColumns, statusOf, append(args, r.recent.Of(k))...)
	case code >= 0:
		return query.List(ctx, r.inState, statusColumns, statusOf, args...)
	}
	return query.List(ctx, r.all, statusColumns, statusOf, args...)
}

func idOf(row []driver.Value) (push.ID, error) { return push.ID(direct.Int(row[0])), nil }

// Interrupted returns the pushes that a session had when the process ended, those with TTL 0 that none had yet, and those that a newer one with their collapse key, or the
// cancel of their fan-out, may have spared because they were on their way.
func (r *Reader) Interrupted(ctx context.Context) ([]push.ID, error) {
	return query.List(ctx, r.interrupted, 1, idOf)
}

// Ahead returns how many pushes wait for an endpoint and go out before one with this priority and id.
func (r *Reader) Ahead(ctx context.Context, k endpoint.Key, p push.Priority, id push.ID) (n int, err error) {
	err = r.ahead.QueryRowContext(ctx, k.Domain, k.ID, int64(p), int64(id), r.recent.Of(k)).Scan(&n)
	return n, failure.Of(err)
}

// ByKey returns what was made with a key, or push.ErrUnknown.
func (r *Reader) ByKey(ctx context.Context, key *push.Idempotency) (push.ID, error) {
	return query.One(ctx, r.findKey, 3, idOf, push.ErrUnknown, keyHash(key), key.Token, key.Key[:])
}

// AnyDue reports whether a push waits for its time that has come.
func (r *Reader) AnyDue(ctx context.Context, now time.Time) (bool, error) {
	return finds(ctx, r.anyDue, now.UnixMicro())
}

// AnyLate reports whether there may be late joiners, or a push to many that takes none any more.
func (r *Reader) AnyLate(ctx context.Context, now time.Time) (bool, error) {
	return finds(ctx, r.anyLate, now.UnixMicro())
}

// finds reports whether a query finds something.
func finds(ctx context.Context, s *sql.Stmt, args ...any) (bool, error) {
	found, err := query.List(ctx, s, 1, number, args...)
	return len(found) > 0, err
}
