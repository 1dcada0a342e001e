package store

import (
	"database/sql/driver"
	"errors"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/accounts"
	"signalbox/internal/store/direct"
)

// tx is the transaction that operations are applied to, with the statements that they need. Its methods hold all SQL that writes, and no decisions.
type tx struct {
	conn *direct.Conn
	now  time.Time // when the transaction began, in whole microseconds

	lastPush, lastEvent int64 // the numbers given out last
	numbersRead         bool  // whether they were read in this transaction
	numbersUsed         bool  // whether they have to be written

	row2 [2]driver.Value // reused for short rows

	control  controlStmts
	push     pushStmts
	endpoint endpointStmts
	token    tokenStmts
	old      oldStmts
	account  *accounts.Statements
}

type controlStmts struct {
	begin, commit, rollback          *direct.Stmt
	readNumbers, writeNumbers, probe *direct.Stmt
	insertEvent, findEndpoint        *direct.Stmt
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

func newTx(c *direct.Conn) (*tx, error) {
	p := &preparer{conn: c}
	t := &tx{
		conn: c,
		control: controlStmts{
			begin:        p.prepare("BEGIN IMMEDIATE"),
			commit:       p.prepare("COMMIT"),
			rollback:     p.prepare("ROLLBACK"),
			readNumbers:  p.prepare("SELECT last_push, last_event FROM meta WHERE one = 1"),
			writeNumbers: p.prepare("UPDATE meta SET last_push = ?, last_event = ? WHERE one = 1"),
			probe:        p.prepare("UPDATE meta SET probes = probes + 1 WHERE one = 1"),
			insertEvent:  p.prepare("INSERT INTO outbox (seq, at, kind, domain, subject, data) VALUES (?, ?, ?, ?, ?, ?)"),
			findEndpoint: p.prepare("SELECT num, enabled FROM endpoint WHERE domain = ? AND id = ?"),
		},
		push:     newPushStmts(p),
		endpoint: newEndpointStmts(p),
		token:    newTokenStmts(p),
		old:      newOldStmts(p),
	}
	if p.err != nil {
		return nil, p.err
	}
	var err error
	t.account, err = accounts.Prepare(c)
	return t, err
}

// sqliteWriter is the batchWriter of SQLite. One goroutine uses it.
type sqliteWriter struct {
	conn *direct.Conn
	tx   *tx
}

// write implements batchWriter.
func (w *sqliteWriter) write(ops []operation) error {
	err := w.tx.begin()
	for i := 0; err == nil && i < len(ops); i++ {
		err = ops[i].apply(w.tx)
	}
	if err == nil {
		err = w.tx.commit()
	}
	if err != nil {
		w.tx.rollback()
		return sqliteError(err)
	}
	return nil
}

func (t *tx) begin() error {
	t.numbersRead, t.numbersUsed = false, false
	t.now = time.Now().Truncate(time.Microsecond).UTC()
	return t.control.begin.Run()
}

func (t *tx) commit() error {
	if t.numbersUsed {
		if err := t.control.writeNumbers.Run(t.lastPush, t.lastEvent); err != nil {
			return err
		}
	}
	return t.control.commit.Run()
}

// rollback ends a failed transaction. SQLite has done it already after some errors, and says so with an error that is of no interest.
func (t *tx) rollback() { _ = t.control.rollback.Run() }

// readNumbers fetches the last numbers once in each transaction, because another process may have given out some since the last one.
func (t *tx) readNumbers() error {
	t.numbersUsed = true
	if t.numbersRead {
		return nil
	}
	found, err := t.control.readNumbers.Row(t.row2[:])
	if err != nil {
		return err
	}
	if !found {
		return errCorrupt
	}
	t.lastPush, t.lastEvent, t.numbersRead = intOf(t.row2[0]), intOf(t.row2[1]), true
	return nil
}

// nextPush gives out the id of a push.
func (t *tx) nextPush() (push.ID, error) {
	if err := t.readNumbers(); err != nil {
		return 0, err
	}
	t.lastPush = nextID(t.lastPush, t.now)
	return push.ID(t.lastPush), nil
}

// insertEvent puts an event into the outbox.
func (t *tx) insertEvent(k endpoint.Key, kind string, at int64, data string) error {
	if err := t.readNumbers(); err != nil {
		return err
	}
	t.lastEvent++
	return t.control.insertEvent.Run(t.lastEvent, at, kind, k.Domain, k.ID, data)
}

// findEndpoint returns the number that stands for the endpoint, or endpoint.ErrUnknown.
func (t *tx) findEndpoint(k endpoint.Key) (num int64, enabled bool, err error) {
	found, err := t.control.findEndpoint.Row(t.row2[:], k.Domain, k.ID)
	if err != nil {
		return 0, false, err
	}
	if !found {
		return 0, false, endpoint.ErrUnknown
	}
	return intOf(t.row2[0]), intOf(t.row2[1]) != 0, nil
}

// probe is an operation that only finds out whether the disk takes writes.
type probe struct{}

func (probe) apply(t *tx) error { return t.control.probe.Run() }

// expected keeps an error that is a result in *into and returns the others, which undo the transaction.
func expected(into *error, err error, results ...error) error {
	*into = nil
	for _, r := range results {
		if errors.Is(err, r) {
			*into = err
			return nil
		}
	}
	return err
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
