// Package outbox holds the SQL of what happened and of who reads it: the statements of the one writer, and the readers' queries.
package outbox

import (
	"database/sql/driver"
	"strings"
	"time"

	"signalbox/internal/store/direct"
)

const (
	insertRow  = "INSERT INTO outbox (seq, at, kind, ep, push, data) VALUES (?, ?, ?, ?, ?, ?)"
	rowColumns = 6
	rowsAtOnce = 16 // that one statement writes; more made it no faster
)

// Statements are prepared on the writer's connection. One goroutine at a time uses them. The methods hold no decisions.
type Statements struct {
	insert, insertMany                 *direct.Stmt
	lastEvent, missed, deletedEvent    *direct.Stmt
	delete, gone, once                 *direct.Stmt
	useName                            *direct.Stmt
	moveReader, readerAt, forgetReader *direct.Stmt

	row [1]driver.Value
}

// Prepare prepares everything on the writer's connection.
func Prepare(p *direct.Preparer) *Statements {
	return &Statements{
		insert:       p.Prepare(insertRow),
		insertMany:   p.Prepare(insertRow + strings.Repeat(", (?, ?, ?, ?, ?, ?)", rowsAtOnce-1)),
		delete:       p.Prepare("DELETE FROM outbox WHERE seq <= ?"),
		gone:         p.Prepare("DELETE FROM gone WHERE seq < coalesce((SELECT min(seq) FROM outbox), 9223372036854775807)"),
		lastEvent:    p.Prepare("SELECT max(seq) FROM (SELECT seq FROM outbox WHERE seq <= ? ORDER BY seq LIMIT ?)"),
		missed:       p.Prepare("SELECT count(*) FROM outbox WHERE seq <= ? AND seq > (SELECT min(seq) FROM event_reader)"),
		deletedEvent: p.Prepare("UPDATE meta SET deleted_event = ? WHERE one = 1"),
		once:         p.Prepare("DELETE FROM event_once WHERE until < ?"),
		useName:      p.Prepare("INSERT INTO event_once (name, until) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"),
		moveReader: p.Prepare("INSERT INTO event_reader (name, seq) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq" +
			" WHERE excluded.seq > seq"),
		readerAt:     p.Prepare("SELECT seq FROM event_reader WHERE name = ?"),
		forgetReader: p.Prepare("DELETE FROM event_reader WHERE name = ?"),
	}
}

// Write puts events into the outbox, in the order of their numbers.
func (s *Statements) Write(events []Event) error {
	var values [rowsAtOnce * rowColumns]driver.Value
	left := events
	for len(left) > 0 {
		insert, n := s.insert, 1
		if len(left) >= rowsAtOnce {
			insert, n = s.insertMany, rowsAtOnce
		}
		for i, e := range left[:n] {
			e.bind(values[i*rowColumns:])
		}
		if err := insert.Run(values[:n*rowColumns]...); err != nil {
			return err
		}
		left = left[n:]
	}
	return nil
}

// bind puts an event into the first places of values.
func (e *Event) bind(values []driver.Value) {
	values[0], values[1], values[2], values[3], values[4], values[5] = e.Seq, e.At, e.Kind, e.Ep, nil, nil
	if e.Push != 0 {
		values[4] = int64(e.Push)
	}
	if e.Data != "" {
		values[5] = e.Data
	}
}

// UseName remembers a name until a time, or reports false if it is remembered already.
func (s *Statements) UseName(name string, until int64) (bool, error) {
	n, err := s.useName.Exec(name, until)
	return n == 1, err
}

// MoveReader says that a reader has read everything up to seq. It never goes back.
func (s *Statements) MoveReader(name string, seq int64) error { return s.moveReader.Run(name, seq) }

// ReaderAt returns up to where a reader has read, and whether there is one of this name.
func (s *Statements) ReaderAt(name string) (seq int64, found bool, err error) {
	found, err = s.readerAt.Row(s.row[:], name)
	return direct.Int(s.row[0]), found, err
}

// ForgetReader takes a reader from the list, if it is on it.
func (s *Statements) ForgetReader(name string) error { return s.forgetReader.Run(name) }

// Delete deletes up to limit events up to last, notes the number of the last of them, and deletes with them the endpoints that no event names any more. It
// returns how many of them the slowest reader has missed, and how many there were.
func (s *Statements) Delete(last int64, limit int) (missed, n int64, err error) {
	if _, err := s.lastEvent.Row(s.row[:], last, int64(limit)); err != nil || s.row[0] == nil {
		return 0, 0, err
	}
	last = direct.Int(s.row[0])
	if _, err := s.missed.Row(s.row[:], last); err != nil {
		return 0, 0, err
	}
	missed = direct.Int(s.row[0])
	if err := s.deletedEvent.Run(last); err != nil {
		return 0, 0, err
	}
	n, err = s.delete.Exec(last)
	if err != nil || n == int64(limit) {
		return missed, n, err
	}
	return missed, n, s.gone.Run()
}

// ForgetNames deletes the names of events that are written once whose time is over.
func (s *Statements) ForgetNames(now time.Time) error { return s.once.Run(direct.Micros(now)) }
