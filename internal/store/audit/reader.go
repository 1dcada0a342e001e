package audit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	"signalbox/internal/audit"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/query"
)

// Reader reads the trail on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	DB *sql.DB
}

// Entries is as audit.Store has it.
func (r Reader) Entries(ctx context.Context, q audit.Query) (all []audit.Entry, err error) {
	text, args := selection(q)
	err = query.Ask(ctx, r.DB, text, entryColumns, func(row []driver.Value) error {
		all = append(all, entryOf(row))
		return nil
	}, args...)
	return all, err
}

// selection writes the query for what q asks.
func selection(q audit.Query) (text string, args []any) {
	var conditions []string
	where := func(condition string, values ...any) {
		conditions = append(conditions, condition)
		args = append(args, values...)
	}
	if q.Domain != "" {
		where("domain IN (?, '')", q.Domain)
	}
	if q.Actor != "" {
		where("actor = ?", q.Actor)
	}
	switch beginning, all := strings.CutSuffix(q.Action, "."); {
	case all:
		where("action > ? AND action < ?", q.Action, beginning+"/") // the character behind the dot
	case q.Action != "":
		where("action = ?", q.Action)
	}
	if q.Subject != "" {
		where("subject = ?", q.Subject)
	}
	if !q.From.IsZero() {
		where("at >= ?", q.From.UnixMicro())
	}
	if !q.Until.IsZero() {
		where("at < ?", q.Until.UnixMicro())
	}
	if q.Before > 0 {
		where("seq < ?", q.Before)
	}
	text = selectEntry
	if conditions != nil {
		text += " WHERE " + strings.Join(conditions, " AND ")
	}
	return text + " ORDER BY seq DESC LIMIT ?", append(args, q.Limit)
}

// Each calls f with every entry in the order of their numbers, all of one moment. An error of f ends it and is returned.
func (r Reader) Each(ctx context.Context, f func(audit.Entry) error) error {
	return query.Ask(ctx, r.DB, selectEntry+" ORDER BY seq", entryColumns, func(row []driver.Value) error { return f(entryOf(row)) })
}

// Heads returns all signed heads in the order of their numbers.
func (r Reader) Heads(ctx context.Context) ([]audit.Head, error) {
	return r.heads(ctx, selectHead+" ORDER BY seq")
}

// End returns where the chain stands and the newest head; zero values where there is none.
func (r Reader) End(ctx context.Context) (end audit.Link, newest audit.Head, err error) {
	err = query.Ask(ctx, r.DB, queryEnd, 2, func(row []driver.Value) error {
		end = audit.Link{Seq: direct.Int(row[0]), Hash: hashOf(row[1])}
		return nil
	})
	if err != nil {
		return end, newest, err
	}
	heads, err := r.heads(ctx, selectHead+" ORDER BY seq DESC LIMIT 1")
	if len(heads) > 0 {
		newest = heads[0]
	}
	return end, newest, err
}

func (r Reader) heads(ctx context.Context, text string) (all []audit.Head, err error) {
	err = query.Ask(ctx, r.DB, text, headColumns, func(row []driver.Value) error {
		all = append(all, headOf(row))
		return nil
	})
	return all, err
}
