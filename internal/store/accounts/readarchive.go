package accounts

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
)

const queryLastArchived = "SELECT coalesce(max(id), 0) FROM archive"

// conditions is the WHERE of a query with its parameters, in which k is always the first two.
type conditions struct {
	text strings.Builder
	args []any
}

// archiveOf begins a query on the archive of one account, of all its messages or of those with one other party.
func archiveOf(k endpoint.Key, with string) *conditions {
	c := &conditions{args: []any{k.Domain, k.ID}}
	index := "archive_account"
	if with != "" {
		index = "archive_peer" // the planner takes the other, which reads the messages with everybody
	}
	c.text.WriteString(" FROM archive INDEXED BY " + index + " WHERE ep = " + numOf)
	return c
}

// and adds a condition on one parameter.
func (c *conditions) and(condition string, arg any) {
	c.text.WriteString(" AND " + condition)
	c.args = append(c.args, arg)
}

// Archived implements account.Reader. The texts of its queries depend on what is asked for, so that each finds its index; they are rare enough to be prepared each
// time.
func (r *Reader) Archived(ctx context.Context, k endpoint.Key, f account.Filter, p account.Page) (account.Result, error) {
	if err := r.checkNamed(ctx, k, f, p); err != nil {
		return account.Result{}, err
	}
	var found account.Result
	c := archiveOf(k, f.With)
	if err := c.filter(f); err != nil {
		return account.Result{}, err
	}
	if _, err := r.one(r.lists.QueryRowContext(ctx, "SELECT count(*)"+c.text.String(), c.args...), &found.Count); err != nil {
		return account.Result{}, err
	}
	if p.Max == 0 {
		found.Complete = found.Count == 0
		return found, nil
	}
	return found, r.archivePage(ctx, c, p, &found)
}

// archivePage reads one message more than is asked for, to learn whether there are more.
func (r *Reader) archivePage(ctx context.Context, c *conditions, p account.Page, found *account.Result) error {
	order := " ORDER BY id"
	if p.After != 0 {
		c.and("id > ?", int64(p.After))
	}
	if p.Before != 0 {
		c.and("id < ?", int64(p.Before))
	}
	if p.Backwards {
		order = " ORDER BY id DESC"
	}
	c.args = append(c.args, p.Max+1)
	rows, err := r.lists.QueryContext(ctx, "SELECT id, peer, resource, outgoing, at, stanza"+c.text.String()+order+" LIMIT ?", c.args...)
	err = r.each(rows, err, func(scan scan) error {
		m, err := messageOf(scan, true)
		found.Messages = append(found.Messages, m)
		return err
	})
	if found.Complete = len(found.Messages) <= p.Max; !found.Complete {
		found.Messages = found.Messages[:p.Max]
	}
	if p.Backwards {
		slices.Reverse(found.Messages)
	}
	if n := len(found.Messages); n > 0 {
		found.First, found.Last = found.Messages[0].ID, found.Messages[n-1].ID
	}
	return err
}

// filter adds what a filter selects.
func (c *conditions) filter(f account.Filter) error {
	if bare, resource, full := strings.Cut(f.With, "/"); f.With != "" {
		c.and("peer = ?", bare)
		if full {
			c.and("resource = ?", resource)
		}
	}
	if !f.Start.IsZero() {
		c.and("at >= ?", f.Start.UnixMicro())
	}
	if !f.End.IsZero() {
		c.and("at <= ?", f.End.UnixMicro())
	}
	if f.After != 0 {
		c.and("id > ?", int64(f.After))
	}
	if f.Before != 0 {
		c.and("id < ?", int64(f.Before))
	}
	if f.IDs == nil {
		return nil
	}
	ids, err := json.Marshal(f.IDs)
	c.and("id IN (SELECT value FROM json_each(?))", string(ids))
	return err
}

// checkNamed returns account.ErrNoMessage where an id of a query names no message of the archive (XEP-0313 section 4.1.3, XEP-0059 section 2.2).
func (r *Reader) checkNamed(ctx context.Context, k endpoint.Key, f account.Filter, p account.Page) error {
	named := slices.Clone(f.IDs)
	for _, id := range []account.ArchiveID{f.After, f.Before, p.After, p.Before} {
		if id != 0 {
			named = append(named, id)
		}
	}
	slices.Sort(named)
	named = slices.Compact(named)
	if len(named) == 0 {
		return nil
	}
	ids, err := json.Marshal(named)
	if err != nil {
		return err
	}
	c := archiveOf(k, "")
	c.and("id IN (SELECT value FROM json_each(?))", string(ids))
	var n int
	if _, err := r.one(r.lists.QueryRowContext(ctx, "SELECT count(*)"+c.text.String(), c.args...), &n); err != nil {
		return err
	}
	if n < len(named) {
		return account.ErrNoMessage
	}
	return nil
}

// ArchiveBounds implements account.Reader.
func (r *Reader) ArchiveBounds(ctx context.Context, k endpoint.Key) (first, last account.Message, err error) {
	for order, into := range map[string]*account.Message{"": &first, " DESC": &last} {
		c := archiveOf(k, "")
		rows, err := r.lists.QueryContext(ctx, "SELECT id, peer, resource, outgoing, at"+c.text.String()+" ORDER BY id"+order+" LIMIT 1", c.args...)
		err = r.each(rows, err, func(scan scan) (err error) {
			*into, err = messageOf(scan, false)
			return err
		})
		if err != nil {
			return first, last, err
		}
	}
	return first, last, nil
}

// LastArchived implements account.Reader.
func (r *Reader) LastArchived(ctx context.Context) (id account.ArchiveID, err error) {
	_, err = r.one(r.lists.QueryRowContext(ctx, queryLastArchived), &id)
	return id, err
}

// messageOf reads the columns of a message, with or without its stanza.
func messageOf(scan scan, stanza bool) (account.Message, error) {
	var m account.Message
	var at int64
	dest := []any{&m.ID, &m.With, &m.Resource, &m.Outgoing, &at}
	if stanza {
		dest = append(dest, &m.Stanza)
	}
	err := scan(dest...)
	m.At = direct.Time(at)
	return m, err
}
