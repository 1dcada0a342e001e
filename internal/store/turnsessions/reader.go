package turnsessions

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/store/direct"
	"signalbox/internal/store/query"
	"signalbox/internal/turnsession"
)

// Reader reads sessions on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	DB *sql.DB
}

const (
	selectSession = "SELECT id, domain, spec, created, expires, ended, reason, counters, counted FROM turn_session"
	columns       = 9
)

// Session returns one, or turnsession.ErrUnknown.
func (r Reader) Session(ctx context.Context, domain string, id turnsession.ID) (turnsession.Session, error) {
	all, err := r.list(ctx, selectSession+" WHERE id = ? AND domain = ?", int64(id), domain)
	if err == nil && len(all) == 0 {
		err = turnsession.ErrUnknown
	}
	if err != nil {
		return turnsession.Session{}, err
	}
	return all[0], nil
}

// Sessions is as turnsession.Store has it.
func (r Reader) Sessions(ctx context.Context, q turnsession.Query) ([]turnsession.Session, error) {
	state := map[turnsession.State]string{turnsession.StateOpen: " AND ended = 0", turnsession.StateEnded: " AND ended > 0"}[q.State]
	return r.list(ctx, selectSession+" WHERE domain = ?1 AND (?2 = 0 OR id < ?2)"+state+" ORDER BY id DESC LIMIT ?3", q.Domain, int64(q.Before), q.Limit)
}

// Open returns the ids of the sessions that are open.
func (r Reader) Open(ctx context.Context) (ids []turnsession.ID, err error) {
	err = query.Ask(ctx, r.DB, "SELECT id FROM turn_session INDEXED BY turn_session_open WHERE ended = 0", 1, func(row []driver.Value) error {
		ids = append(ids, turnsession.ID(direct.Int(row[0])))
		return nil
	})
	return ids, err
}

func (r Reader) list(ctx context.Context, text string, args ...any) (all []turnsession.Session, err error) {
	err = query.Ask(ctx, r.DB, text, columns, func(row []driver.Value) error {
		one, err := sessionOf(row)
		all = append(all, one)
		return err
	}, args...)
	return all, err
}

// sessionOf reads the columns of selectSession.
func sessionOf(row []driver.Value) (s turnsession.Session, err error) {
	var stored spec
	if err := json.Unmarshal([]byte(direct.Text(row[2])), &stored); err != nil {
		return s, fmt.Errorf("read TURN session: %w", err)
	}
	s = turnsession.Session{
		ID: turnsession.ID(direct.Int(row[0])), Domain: direct.Text(row[1]), By: stored.By, Created: direct.Time(direct.Int(row[3])), Expires: direct.Time(direct.Int(row[4])),
		Ended: direct.Time(direct.Int(row[5])), Reason: direct.Text(row[6]), Counted: direct.Time(direct.Int(row[8])),
		Spec: turnsession.Spec{
			AllowPeers: stored.AllowPeers, Endpoints: stored.Endpoints, Technician: stored.Technician, MaxAllocations: stored.MaxAllocations, Rate: stored.Rate,
		},
	}
	s.TTL = s.Expires.Sub(s.Created)
	if err := json.Unmarshal([]byte(direct.Text(row[7])), &s.Counters); err != nil {
		return s, fmt.Errorf("read counters of %s: %w", s.ID, err)
	}
	return s, nil
}
