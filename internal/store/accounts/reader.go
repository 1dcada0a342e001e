package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/failure"
)

// Reader implements account.Reader on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	lists *sql.DB // for what may read many rows

	roster, contact, requests *sql.Stmt
	offline, countOffline     *sql.Stmt
	node, items, item         *sql.Stmt
	targets, last             *sql.Stmt
	nodes                     *sql.Stmt
}

// The endpoint's number by the first two parameters.
const numOf = "(SELECT num FROM endpoint WHERE domain = ?1 AND id = ?2)"

const (
	// One row at least where there is an account: its version.
	queryRoster = "SELECT a.roster, c.jid, c.name, c.groups, c.subscription, c.pending_out, c.pending_in, c.approved FROM account a" +
		" LEFT JOIN contact c ON c.ep = a.ep AND c.listed = 1 WHERE a.ep = " + numOf + " ORDER BY c.jid"
	queryContact      = "SELECT listed, jid, name, groups, subscription, pending_out, pending_in, approved FROM contact WHERE ep = " + numOf + " AND jid = ?3"
	queryRequests     = "SELECT jid, stanza, asked FROM contact WHERE ep = " + numOf + " AND pending_in = 1 ORDER BY asked, jid"
	queryOffline      = "SELECT id, stanza, at, expires FROM offline WHERE ep = " + numOf + " AND id > ?3 AND (expires = 0 OR expires > ?4) ORDER BY id LIMIT ?5"
	queryCountOffline = "SELECT count(*) FROM offline WHERE ep = " + numOf + " AND (expires = 0 OR expires > ?3)"
	queryNodes        = "SELECT name, items, bytes, config FROM node WHERE ep = " + numOf + " ORDER BY name"
	queryNode         = "SELECT name, items, bytes, config FROM node WHERE ep = " + numOf + " AND name = ?3"
	// One row at least where there is a node, so that an empty node is told from none.
	queryItems = "SELECT i.id, i.payload, i.publisher, i.at FROM node n LEFT JOIN (SELECT * FROM node_item INDEXED BY node_item_order" +
		" WHERE node = (SELECT num FROM node WHERE ep = " + numOf + " AND name = ?3) ORDER BY seq DESC LIMIT ?4) i ON i.node = n.num" +
		" WHERE n.ep = " + numOf + " AND n.name = ?3 ORDER BY i.seq DESC"
	queryItem = "SELECT i.id, i.payload, i.publisher, i.at FROM node n LEFT JOIN node_item i ON i.node = n.num AND i.id = ?4" +
		" WHERE n.ep = " + numOf + " AND n.name = ?3"
	queryTargets = "SELECT service, node, options FROM push_target WHERE ep = " + numOf + " ORDER BY service, node"
	queryLast    = "SELECT last_status, last_at FROM account WHERE ep = " + numOf

	queryAnyExpired = "SELECT EXISTS (SELECT 1 FROM offline WHERE expires > 0 AND expires <= ?)"
	queryHolders    = "SELECT e.domain, e.id, EXISTS (SELECT 1 FROM contact WHERE ep = e.num) OR coalesce((SELECT roster FROM account WHERE ep = e.num), 0) > 0," +
		" EXISTS (SELECT 1 FROM offline WHERE ep = e.num), EXISTS (SELECT 1 FROM node WHERE ep = e.num) FROM endpoint e"
	queryBlocked     = "SELECT e.domain, e.id, b.jid FROM blocked b CROSS JOIN endpoint e ON e.num = b.ep"
	queryPreferences = "SELECT e.domain, e.id, a.preferences FROM account a CROSS JOIN endpoint e ON e.num = a.ep WHERE a.preferences IS NOT NULL"
)

// NewReader prepares the queries: on db for what somebody's login or delivery waits for, on lists for the rest.
func NewReader(ctx context.Context, db, lists *sql.DB) (*Reader, error) {
	r := &Reader{lists: lists}
	for query, into := range map[string]**sql.Stmt{
		queryRoster: &r.roster, queryContact: &r.contact, queryRequests: &r.requests, queryOffline: &r.offline, queryCountOffline: &r.countOffline,
		queryNode: &r.node, queryItems: &r.items, queryItem: &r.item, queryTargets: &r.targets, queryLast: &r.last, queryNodes: &r.nodes,
	} {
		pool := db
		if into == &r.nodes {
			pool = lists
		}
		var err error
		if *into, err = pool.PrepareContext(ctx, query); err != nil {
			return nil, fmt.Errorf("prepare %q: %w", query, err)
		}
	}
	return r, nil
}

// scan reads the columns of one row.
type scan func(dest ...any) error

// each calls f with every row.
func (r *Reader) each(rows *sql.Rows, err error, f func(scan) error) error {
	if err != nil {
		return failure.Of(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return failure.Of(rows.Err())
}

// one reads the only row and reports whether there is one.
func (r *Reader) one(row *sql.Row, dest ...any) (bool, error) {
	err := row.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, failure.Of(err)
}

// Roster implements account.Reader.
func (r *Reader) Roster(ctx context.Context, k endpoint.Key) (account.Roster, error) {
	var found account.Roster
	rows, err := r.roster.QueryContext(ctx, k.Domain, k.ID)
	err = r.each(rows, err, func(scan scan) error {
		item, err := itemOf(scan, &found.Version)
		if err == nil && item.JID != "" {
			found.Items = append(found.Items, item)
		}
		return err
	})
	return found, err
}

// Contact implements account.Reader.
func (r *Reader) Contact(ctx context.Context, k endpoint.Key, jid string) (account.Item, bool, error) {
	var item account.Item
	var listed int64
	rows, err := r.contact.QueryContext(ctx, k.Domain, k.ID, jid)
	err = r.each(rows, err, func(scan scan) (err error) {
		item, err = itemOf(scan, &listed)
		return err
	})
	return item, listed != 0, err
}

// itemOf reads an item, whose columns are NULL where there is none, behind a first column.
func itemOf(scan scan, first *int64) (account.Item, error) {
	var jid, name, groups sql.NullString
	var subscription sql.NullInt64
	var pendingOut, pendingIn, approved sql.NullBool
	if err := scan(first, &jid, &name, &groups, &subscription, &pendingOut, &pendingIn, &approved); err != nil {
		return account.Item{}, err
	}
	decoded, err := decodeGroups(groups.String)
	return account.Item{JID: jid.String, Name: name.String, Groups: decoded, State: account.State{
		Subscription: account.Subscription(subscription.Int64), PendingOut: pendingOut.Bool, PendingIn: pendingIn.Bool, Approved: approved.Bool,
	}}, err
}

// Requests implements account.Reader.
func (r *Reader) Requests(ctx context.Context, k endpoint.Key) ([]account.Request, error) {
	var found []account.Request
	rows, err := r.requests.QueryContext(ctx, k.Domain, k.ID)
	err = r.each(rows, err, func(scan scan) error {
		var q account.Request
		var asked int64
		err := scan(&q.JID, &q.Stanza, &asked)
		q.At = direct.Time(asked)
		found = append(found, q)
		return err
	})
	return found, err
}

// EachBlocked implements account.Reader.
func (r *Reader) EachBlocked(ctx context.Context, f func(endpoint.Key, string)) error {
	rows, err := r.lists.QueryContext(ctx, queryBlocked)
	return r.each(rows, err, func(scan scan) error {
		var k endpoint.Key
		var jid string
		err := scan(&k.Domain, &k.ID, &jid)
		if err == nil {
			f(k, jid)
		}
		return err
	})
}

// EachHolder implements account.Reader.
func (r *Reader) EachHolder(ctx context.Context, f func(k endpoint.Key, contacts, offline, nodes bool)) error {
	rows, err := r.lists.QueryContext(ctx, queryHolders)
	return r.each(rows, err, func(scan scan) error {
		var k endpoint.Key
		var contacts, offline, nodes bool
		err := scan(&k.Domain, &k.ID, &contacts, &offline, &nodes)
		if err == nil && (contacts || offline || nodes) {
			f(k, contacts, offline, nodes)
		}
		return err
	})
}

// EachPreferences implements account.Reader.
func (r *Reader) EachPreferences(ctx context.Context, f func(endpoint.Key, account.Preferences)) error {
	rows, err := r.lists.QueryContext(ctx, queryPreferences)
	return r.each(rows, err, func(scan scan) error {
		var k endpoint.Key
		var text string
		if err := scan(&k.Domain, &k.ID, &text); err != nil {
			return err
		}
		p, err := decodePreferences(text)
		if err == nil {
			f(k, p)
		}
		return err
	})
}

// Offline implements account.Reader.
func (r *Reader) Offline(ctx context.Context, k endpoint.Key, after account.OfflineID, limit int, now time.Time) ([]account.Offline, error) {
	var found []account.Offline
	rows, err := r.offline.QueryContext(ctx, k.Domain, k.ID, int64(after), direct.Micros(now), limit)
	err = r.each(rows, err, func(scan scan) error {
		var m account.Offline
		var at, expires int64
		err := scan(&m.ID, &m.Stanza, &at, &expires)
		m.At, m.Expires = direct.Time(at), direct.Time(expires)
		found = append(found, m)
		return err
	})
	return found, err
}

// CountOffline implements account.Reader.
func (r *Reader) CountOffline(ctx context.Context, k endpoint.Key, now time.Time) (n int, err error) {
	_, err = r.one(r.countOffline.QueryRowContext(ctx, k.Domain, k.ID, direct.Micros(now)), &n)
	return n, err
}

// AnyExpired reports whether an offline message has expired at now.
func (r *Reader) AnyExpired(ctx context.Context, now time.Time) (due bool, err error) {
	_, err = r.one(r.lists.QueryRowContext(ctx, queryAnyExpired, direct.Micros(now)), &due)
	return due, err
}

// PushTargets implements account.Reader.
func (r *Reader) PushTargets(ctx context.Context, k endpoint.Key) ([]account.PushTarget, error) {
	var found []account.PushTarget
	rows, err := r.targets.QueryContext(ctx, k.Domain, k.ID)
	err = r.each(rows, err, func(scan scan) error {
		var t account.PushTarget
		err := scan(&t.Service, &t.Node, &t.Options)
		found = append(found, t)
		return err
	})
	return found, err
}

// Last implements account.Reader.
func (r *Reader) Last(ctx context.Context, k endpoint.Key) (status string, at time.Time, err error) {
	var micros int64
	_, err = r.one(r.last.QueryRowContext(ctx, k.Domain, k.ID), &status, &micros)
	return status, direct.Time(micros), err
}
