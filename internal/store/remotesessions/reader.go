package remotesessions

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"signalbox/internal/remote"
	"signalbox/internal/store/query"
)

// Reader reads sessions on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	DB *sql.DB
}

const (
	selectSession = "SELECT id, domain, endpoint, technician, state, record FROM remote_session"
	columns       = 6
	queryOpen     = selectSession + " INDEXED BY remote_session_open WHERE ended = 0 ORDER BY id"
)

// Session returns one, or remote.ErrUnknown.
func (r Reader) Session(ctx context.Context, domain string, id remote.ID) (remote.Session, error) {
	all, err := r.list(ctx, selectSession+" WHERE id = ? AND domain = ?", int64(id), domain)
	if err == nil && len(all) == 0 {
		err = remote.ErrUnknown
	}
	if err != nil {
		return remote.Session{}, err
	}
	return all[0], nil
}

// Sessions is as remote.Store has it.
func (r Reader) Sessions(ctx context.Context, q remote.Query) ([]remote.Session, error) {
	text, args := selection(q)
	return r.list(ctx, text, args...)
}

// selection writes the query for what q asks.
func selection(q remote.Query) (text string, args []any) {
	text, args = selectSession+" WHERE domain = ?", []any{q.Domain}
	if q.Endpoint == "" && q.Technician == "" {
		text = selectSession + " WHERE +domain = ?" // by the order of the ids, which an index that begins with the domain does not have
	}
	where := func(on bool, condition string, values ...any) {
		if on {
			text += " AND " + condition
			args = append(args, values...)
		}
	}
	where(q.Endpoint != "", "endpoint = ?", q.Endpoint)
	where(q.Technician != "", "technician = ?", q.Technician)
	where(q.State != "", "state = ?", string(q.State))
	where(q.Open, "ended = 0")
	where(q.Before != 0, "id < ?", int64(q.Before))
	return text + " ORDER BY id DESC LIMIT ?", append(args, q.Limit)
}

// Open returns the sessions that are open, of all domains.
func (r Reader) Open(ctx context.Context) ([]remote.Session, error) { return r.list(ctx, queryOpen) }

func (r Reader) list(ctx context.Context, text string, args ...any) (all []remote.Session, err error) {
	err = query.Ask(ctx, r.DB, text, columns, func(row []driver.Value) error {
		one, err := sessionOf(row)
		all = append(all, one)
		return err
	}, args...)
	return all, err
}
