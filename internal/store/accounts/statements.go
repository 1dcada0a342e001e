// Package accounts holds the SQL of what an account keeps for standard XMPP clients: the statements of the one writer, and the readers' queries.
package accounts

import (
	"database/sql/driver"
	"time"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
)

// Statements are prepared on the writer's connection. One goroutine at a time uses them.
type Statements struct {
	find    *direct.Stmt
	roster  rosterStmts
	message messageStmts
	node    nodeStmts
	target  targetStmts
	remove  removeStmts

	row [contactColumns]driver.Value // reused
}

// Prepare prepares everything on the writer's connection.
func Prepare(c *direct.Conn) (*Statements, error) {
	p := &direct.Preparer{Conn: c}
	s := &Statements{
		find:    p.Prepare("SELECT num FROM endpoint WHERE domain = ? AND id = ?"),
		roster:  newRosterStmts(p),
		message: newMessageStmts(p),
		node:    newNodeStmts(p),
		target:  newTargetStmts(p),
		remove:  newRemoveStmts(p),
	}
	return s, p.Err
}

// Tx is one account in a transaction that has begun at now; num stands for its endpoint.
func (s *Statements) Tx(num int64, now time.Time) account.Tx {
	return &tx{Statements: s, ep: num, now: now}
}

// tx implements account.Tx. Its methods hold no decisions.
type tx struct {
	*Statements
	ep  int64
	now time.Time
}

func (t *tx) Now() time.Time { return t.now }

func (t *tx) Other(k endpoint.Key) (account.Tx, bool, error) {
	found, err := t.find.Row(t.row[:1], k.Domain, k.ID)
	if err != nil || !found {
		return nil, false, err
	}
	return t.Tx(direct.Int(t.row[0]), t.now), true, nil
}

// texts collects the first column of all rows.
func (t *tx) texts(s *direct.Stmt, args ...driver.Value) ([]string, error) {
	var all []string
	err := s.Each(t.row[:1], func() error {
		all = append(all, direct.Text(t.row[0]))
		return nil
	}, args...)
	return all, err
}

// counts returns the first row of two numbers.
func (t *tx) counts(s *direct.Stmt, args ...driver.Value) (a, b int, err error) {
	found, err := s.Row(t.row[:2], args...)
	if err != nil || !found {
		return 0, 0, err
	}
	return int(direct.Int(t.row[0])), int(direct.Int(t.row[1])), nil
}
