package enrolments

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/access/enrolment"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/query"
)

// Reader reads enrolments on connections that see what is committed. All methods may be called concurrently.
type Reader struct {
	DB *sql.DB
}

const (
	selectEnrolment = "SELECT id, domain, hash, spec, created, expires, used, last_use FROM enrolment"
	columns         = 8
)

// Enrolments is as enrolment.Store has it.
func (r Reader) Enrolments(ctx context.Context, domain, before string, limit int) (all []enrolment.Enrolment, err error) {
	err = query.Ask(ctx, r.DB, selectEnrolment+" WHERE domain = ?1 AND (?2 = '' OR id < ?2) ORDER BY id DESC LIMIT ?3", columns, func(row []driver.Value) error {
		one, err := enrolmentOf(row)
		all = append(all, one)
		return err
	}, domain, before, limit)
	return all, err
}

// Identity returns the public key of the server as text; empty: none is known yet.
func (r Reader) Identity(ctx context.Context) (public string, err error) {
	err = query.Ask(ctx, r.DB, "SELECT public FROM identity WHERE one = 1", 1, func(row []driver.Value) error {
		public = direct.Text(row[0])
		return nil
	})
	return public, err
}

// enrolmentOf reads the columns of selectEnrolment.
func enrolmentOf(row []driver.Value) (e enrolment.Enrolment, err error) {
	var stored spec
	if err := json.Unmarshal([]byte(direct.Text(row[3])), &stored); err != nil {
		return e, fmt.Errorf("read enrolment: %w", err)
	}
	e = enrolment.Enrolment{
		ID: direct.Text(row[0]), Domain: direct.Text(row[1]), By: stored.By, Created: direct.Time(direct.Int(row[4])), Expires: direct.Time(direct.Int(row[5])),
		Used: int(direct.Int(row[6])), LastUse: direct.Time(direct.Int(row[7])),
		Spec: enrolment.Spec{Endpoint: stored.Endpoint, Prefix: stored.Prefix, Labels: stored.Labels, Groups: stored.Groups, Uses: stored.Uses},
	}
	hash, _ := row[2].([]byte)
	if copy(e.Hash[:], hash) != len(e.Hash) {
		return e, fmt.Errorf("read enrolment %s: its hash has %d bytes", e.ID, len(hash))
	}
	return e, nil
}
