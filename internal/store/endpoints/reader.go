package endpoints

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/presences"
	"signalbox/internal/store/query"
)

// NumOf is the number of the endpoint that the first two parameters of a query name, domain and id.
const NumOf = "(SELECT num FROM endpoint WHERE domain = ?1 AND id = ?2)"

const (
	queryList = selectRecord + fromRecord + " WHERE e.domain = ?1 AND e.id > ?2 AND (?3 = '' OR coalesce(p.state, 'never') = ?3)" +
		" AND (?4 = '' OR instr(e.id, ?4) > 0) AND (?5 = '' OR EXISTS (SELECT 1 FROM json_each(e.groups) g WHERE g.value = ?5))" +
		" AND (?6 = '' OR EXISTS (SELECT 1 FROM json_each(e.labels) l WHERE l.key = ?6 AND l.value = ?7)) ORDER BY e.id LIMIT ?8"

	queryFast = selectFast + " WHERE ep = " + NumOf + " AND client = ?3"

	// The join is crossed so that the ids lead, each to one endpoint.
	queryByID = selectRecord + " FROM json_each(?2) j CROSS JOIN endpoint e ON e.domain = ?1 AND e.id = j.value LEFT JOIN presence p ON p.ep = e.num"

	// One statement, so that all of it is read at one time; a row without an endpoint carries the number where there is none. What was never told shows as never.
	querySnapshot = "SELECT m.last_event, coalesce(nullif(p.told, ''), 'never'), e.domain, e.id, e.enabled, e.created, e.updated, e.labels, e.groups, " + presences.Select +
		" FROM meta m LEFT JOIN (endpoint e LEFT JOIN presence p ON p.ep = e.num)" +
		" ON e.domain = ?1 AND (?2 = '' OR coalesce(nullif(p.told, ''), 'never') = ?2)" +
		" AND (?3 = '' OR instr(e.id, ?3) > 0) AND (?4 = '' OR EXISTS (SELECT 1 FROM json_each(e.groups) g WHERE g.value = ?4))" +
		" AND (?5 = '' OR EXISTS (SELECT 1 FROM json_each(e.labels) l WHERE l.key = ?5 AND l.value = ?6)) ORDER BY e.id"

	queryLastSeen = "SELECT e.domain, e.id, p.remote_addr FROM presence p JOIN endpoint e ON e.num = p.ep WHERE p.remote_addr <> '' ORDER BY p.last_heard DESC LIMIT ?1"
)

// Reader reads on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	find, secret, fast, anyDue     *sql.Stmt
	list, byID, snapshot, lastSeen *sql.Stmt
}

// NewReader prepares the queries: on db for what somebody's login or delivery waits for, on lists for the rest.
func NewReader(ctx context.Context, db, lists *sql.DB) (*Reader, error) {
	r := &Reader{}
	err := query.Prepare(ctx, db, map[string]**sql.Stmt{
		selectRecord + fromRecord + " WHERE e.domain = ? AND e.id = ?":     &r.find,
		"SELECT secret, enabled FROM endpoint WHERE domain = ? AND id = ?": &r.secret,
		queryFast:             &r.fast,
		presences.QueryAnyDue: &r.anyDue,
	})
	if err != nil {
		return nil, err
	}
	return r, query.Prepare(ctx, lists, map[string]**sql.Stmt{queryList: &r.list, queryByID: &r.byID, querySnapshot: &r.snapshot, queryLastSeen: &r.lastSeen})
}

// Endpoint returns one with its presence, or endpoint.ErrUnknown.
func (r *Reader) Endpoint(ctx context.Context, k endpoint.Key) (endpoint.Record, error) {
	return query.One(ctx, r.find, recordColumns, recordOf, endpoint.ErrUnknown, k.Domain, k.ID)
}

// Endpoints returns those that q selects.
func (r *Reader) Endpoints(ctx context.Context, q endpoint.Query) ([]endpoint.Record, error) {
	name, value, _ := strings.Cut(q.Label, "=")
	return query.List(ctx, r.list, recordColumns, recordOf, q.Domain, q.After, string(q.State), q.Search, q.Group, name, value, q.Limit)
}

// ByID returns those with these ids.
func (r *Reader) ByID(ctx context.Context, domain string, ids []string) ([]endpoint.Record, error) {
	text, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("encode ids: %w", err)
	}
	return query.List(ctx, r.byID, recordColumns, recordOf, domain, string(text))
}

// Snapshot calls f with those that q selects as events told of them, and returns up to which event.
func (r *Reader) Snapshot(ctx context.Context, q endpoint.Query, f func(endpoint.Told) error) (seq int64, err error) {
	name, value, _ := strings.Cut(q.Label, "=")
	err = query.Each(ctx, r.snapshot, 2+recordColumns, func(row []driver.Value) error {
		seq = direct.Int(row[0])
		if row[2] == nil {
			return nil
		}
		r, err := recordOf(row[2:])
		if err != nil {
			return err
		}
		return f(endpoint.Told{Record: r, State: endpoint.State(direct.Text(row[1]))})
	}, q.Domain, string(q.State), q.Search, q.Group, name, value)
	return seq, err
}

// Secret returns the secret of an endpoint and whether that is enabled, or endpoint.ErrUnknown.
func (r *Reader) Secret(ctx context.Context, k endpoint.Key) (endpoint.Secret, bool, error) {
	var text string
	var enabled bool
	err := r.secret.QueryRowContext(ctx, k.Domain, k.ID).Scan(&text, &enabled)
	if errors.Is(err, sql.ErrNoRows) {
		return endpoint.Secret{}, false, endpoint.ErrUnknown
	}
	if err != nil {
		return endpoint.Secret{}, false, failure.Of(err)
	}
	var s endpoint.Secret
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return endpoint.Secret{}, false, fmt.Errorf("read secret of %s: %w", k, err)
	}
	return s, enabled, nil
}

// FastTokens returns the tokens of a client, the zero value if the client has none.
func (r *Reader) FastTokens(ctx context.Context, k endpoint.Key, client string) (endpoint.FastTokens, error) {
	all, err := query.List(ctx, r.fast, fastColumns, fastTokensOf, k.Domain, k.ID, client)
	if err != nil || len(all) == 0 {
		return endpoint.FastTokens{}, err
	}
	return all[0], nil
}

// PresencesDue reports whether events of presences are due.
func (r *Reader) PresencesDue(ctx context.Context, now time.Time) (due bool, err error) {
	err = r.anyDue.QueryRowContext(ctx, direct.Micros(now)).Scan(&due)
	return due, failure.Of(err)
}

// LastSeen tells where endpoints were last seen, the newest first, at most limit.
func (r *Reader) LastSeen(ctx context.Context, limit int, tell func(k endpoint.Key, from netip.AddrPort)) error {
	return query.Each(ctx, r.lastSeen, 3, func(row []driver.Value) error {
		if from, err := netip.ParseAddrPort(direct.Text(row[2])); err == nil {
			tell(endpoint.Key{Domain: direct.Text(row[0]), ID: direct.Text(row[1])}, from)
		}
		return nil
	}, limit)
}
