package store

import (
	"database/sql/driver"

	"signalbox/internal/store/direct"
)

type outboxStmts struct {
	useName                            *direct.Stmt
	moveReader, readerAt, forgetReader *direct.Stmt

	row [1]driver.Value
}

func newOutboxStmts(p *direct.Preparer) outboxStmts {
	return outboxStmts{
		useName: p.Prepare("INSERT INTO event_once (name, until) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"),
		moveReader: p.Prepare("INSERT INTO event_reader (name, seq) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq" +
			" WHERE excluded.seq > seq"),
		readerAt:     p.Prepare("SELECT seq FROM event_reader WHERE name = ?"),
		forgetReader: p.Prepare("DELETE FROM event_reader WHERE name = ?"),
	}
}

// useName remembers a name until a time, or reports false if it is remembered already.
func (t *tx) useName(name string, until int64) (bool, error) {
	n, err := t.outbox.useName.Exec(name, until)
	return n == 1, err
}

// moveReader says that a reader has read everything up to seq. It never goes back.
func (t *tx) moveReader(name string, seq int64) error { return t.outbox.moveReader.Run(name, seq) }

// addReader registers a reader behind the newest event of earlier transactions, unless there is one of this name, and returns where it stands.
func (t *tx) addReader(name string) (int64, error) {
	found, err := t.outbox.readerAt.Row(t.outbox.row[:], name)
	if err != nil || found {
		return direct.Int(t.outbox.row[0]), err
	}
	if err := t.readNumbers(); err != nil {
		return 0, err
	}
	return t.lastEvent, t.moveReader(name, t.lastEvent)
}

// forgetReader takes a reader from the list, if it is on it.
func (t *tx) forgetReader(name string) error { return t.outbox.forgetReader.Run(name) }
