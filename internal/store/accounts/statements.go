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

// preparer prepares many statements and keeps the first error.
type preparer struct {
	conn *direct.Conn
	err  error
}

func (p *preparer) prepare(query string) *direct.Stmt {
	if p.err != nil {
		return nil
	}
	var s *direct.Stmt
	s, p.err = p.conn.Prepare(query)
	return s
}

// Prepare prepares everything on the writer's connection.
func Prepare(c *direct.Conn) (*Statements, error) {
	p := &preparer{conn: c}
	s := &Statements{
		find:    p.prepare("SELECT num FROM endpoint WHERE domain = ? AND id = ?"),
		roster:  newRosterStmts(p),
		message: newMessageStmts(p),
		node:    newNodeStmts(p),
		target:  newTargetStmts(p),
		remove:  newRemoveStmts(p),
	}
	return s, p.err
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
	return t.Tx(intOf(t.row[0]), t.now), true, nil
}

// texts collects the first column of all rows.
func (t *tx) texts(s *direct.Stmt, args ...driver.Value) ([]string, error) {
	var all []string
	err := s.Each(t.row[:1], func() error {
		all = append(all, textOf(t.row[0]))
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
	return int(intOf(t.row[0])), int(intOf(t.row[1])), nil
}

// The columns of a row as they come from the driver; NULL gives the zero value.

func intOf(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func textOf(v driver.Value) string {
	s, _ := v.(string)
	return s
}

func bytesOf(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}

// blob is how bytes are bound: the driver takes nil for NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func code(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// micros is how a time is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
