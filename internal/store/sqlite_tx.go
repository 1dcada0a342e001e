package store

import (
	"database/sql/driver"
	"errors"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/accounts"
	auditrows "signalbox/internal/store/audit"
	"signalbox/internal/store/campaigns"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/endpoints"
	"signalbox/internal/store/enrolments"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/outbox"
	"signalbox/internal/store/presences"
	"signalbox/internal/store/pushes"
	"signalbox/internal/store/remotesessions"
	"signalbox/internal/store/technicians"
	"signalbox/internal/store/tokens"
	"signalbox/internal/store/turnsessions"
	"signalbox/internal/store/webhooks"
)

// tx is the transaction that operations are applied to, with the statements that they need. Its methods hold all SQL that writes, and no decisions.
type tx struct {
	conn *direct.Conn
	now  time.Time // when the transaction began, in whole microseconds

	lastPush, lastEvent int64 // the numbers given out last
	numbersRead         bool  // whether they were read in this transaction
	numbersUsed         bool  // whether they have to be written

	auditEnd  audit.Link // where the audit trail stands
	auditRead bool       // whether it was read in this transaction

	// Pushes that were read, and those of them that have changed; written before any other operation.
	rows    map[push.ID]*pushes.Row
	touched []*pushes.Row

	// What decides whether endpoints take pushes; see known. It outlives the transaction.
	candidatesKnown map[endpoint.Key]*pushes.Candidate
	dataVersion     int64

	// Written at the end of the transaction.
	events []outbox.Event    // in the order of their numbers
	closed map[push.ID]int64 // targets of a fan-out that became final, or were deleted before

	row2 [2]driver.Value // reused for short rows

	control   controlStmts
	push      *pushes.Statements
	endpoint  *endpoints.Statements
	presence  *presences.Statements
	token     *tokens.Statements
	staff     *technicians.Statements
	outbox    *outbox.Statements
	account   *accounts.Statements
	campaign  *campaigns.Statements
	turn      *turnsessions.Statements
	session   *remotesessions.Statements
	audit     *auditrows.Statements
	enrolment *enrolments.Statements
	webhook   *webhooks.Statements
}

type controlStmts struct {
	begin, commit, rollback          *direct.Stmt
	readNumbers, writeNumbers, probe *direct.Stmt
	otherWork                        *direct.Stmt
}

func newTx(c *direct.Conn) (*tx, error) {
	p := &direct.Preparer{Conn: c}
	t := &tx{
		conn: c, rows: map[push.ID]*pushes.Row{}, closed: map[push.ID]int64{}, candidatesKnown: map[endpoint.Key]*pushes.Candidate{},
		control: controlStmts{
			begin:        p.Prepare("BEGIN IMMEDIATE"),
			commit:       p.Prepare("COMMIT"),
			rollback:     p.Prepare("ROLLBACK"),
			readNumbers:  p.Prepare("SELECT last_push, last_event FROM meta WHERE one = 1"),
			writeNumbers: p.Prepare("UPDATE meta SET last_push = ?, last_event = ? WHERE one = 1"),
			probe:        p.Prepare("UPDATE meta SET probes = probes + 1 WHERE one = 1"),
			otherWork:    p.Prepare(queryOtherWork),
		},
		push:     pushes.Prepare(p),
		endpoint: endpoints.Prepare(p),
		presence: presences.Prepare(p),
		token:    tokens.Prepare(p),
		staff:    technicians.Prepare(p),
		webhook:  webhooks.Prepare(p),
		outbox:   outbox.Prepare(p),
	}
	if p.Err != nil {
		return nil, p.Err
	}
	var err error
	if t.account, err = accounts.Prepare(c); err != nil {
		return nil, err
	}
	if t.campaign, err = campaigns.Prepare(c); err != nil {
		return nil, err
	}
	if t.turn, err = turnsessions.Prepare(c); err != nil {
		return nil, err
	}
	if t.session, err = remotesessions.Prepare(c); err != nil {
		return nil, err
	}
	if t.audit, err = auditrows.Prepare(c); err != nil {
		return nil, err
	}
	if t.enrolment, err = enrolments.Prepare(c); err != nil {
		return nil, err
	}
	return t, t.push.ReadRecent()
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
		if err = w.tx.settle(ops[i]); err == nil {
			err = ops[i].apply(w.tx)
		}
	}
	if err == nil {
		err = w.tx.commit()
	}
	if err != nil {
		w.tx.rollback()
		return failure.Of(err)
	}
	return nil
}

func (t *tx) begin() error {
	t.numbersRead, t.numbersUsed, t.auditRead = false, false, false
	t.forgetRows()
	t.events = t.events[:0]
	clear(t.closed)
	t.now = time.Now().Truncate(time.Microsecond).UTC()
	if err := t.control.begin.Run(); err != nil {
		return err
	}
	return t.checkOtherWork()
}

func (t *tx) commit() error {
	for _, write := range []func() error{t.writeRows, func() error { return t.outbox.Write(t.events) }, t.writeClosed} {
		if err := write(); err != nil {
			return err
		}
	}
	if t.numbersUsed {
		if err := t.control.writeNumbers.Run(t.lastPush, t.lastEvent); err != nil {
			return err
		}
	}
	if err := t.push.FileDue(); err != nil {
		return err
	}
	if err := t.control.commit.Run(); err != nil {
		return err
	}
	t.push.Filed()
	return nil
}

// rollback ends a failed transaction. SQLite has done it already after some errors, and says so with an error that is of no interest.
func (t *tx) rollback() {
	clear(t.candidatesKnown)
	_ = t.control.rollback.Run()
	t.push.Unfiled()
}

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
		return failure.ErrCorrupt
	}
	t.lastPush, t.lastEvent, t.numbersRead = direct.Int(t.row2[0]), direct.Int(t.row2[1]), true
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

// nextPushes gives out n ids, one or more, that follow each other, and returns the first.
func (t *tx) nextPushes(n int) (push.ID, error) {
	first, err := t.nextPush()
	t.lastPush += int64(n) - 1
	return first, err
}

// insertEvent gives an event its number and keeps it for the end of the transaction.
func (t *tx) insertEvent(e outbox.Event) error {
	if err := t.readNumbers(); err != nil {
		return err
	}
	t.lastEvent++
	e.Seq = t.lastEvent
	t.events = append(t.events, e)
	return nil
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
