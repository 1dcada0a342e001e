// Package audit holds the SQL of the audit trail: the statements of the one writer, and the readers' queries.
package audit

import (
	"database/sql/driver"
	"encoding/json"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/store/direct"
)

// Statements are prepared on the writer's connection. One goroutine at a time uses them. The methods hold no decisions.
type Statements struct {
	end, insert, addHead, oldHead, deleteHeads, delete *direct.Stmt

	row [headColumns]driver.Value // reused
}

const (
	selectEntry  = "SELECT seq, at, domain, actor, action, subject, detail, prev, hash FROM audit"
	entryColumns = 9
	selectHead   = "SELECT seq, hash, at, key, signature FROM audit_head"
	headColumns  = 5

	queryEnd = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"
	// queryOldHead asks for the newest head that is old, if the first entry that there is is older still and one of those that it vouches for.
	queryOldHead = selectHead + " WHERE at < ?1 AND EXISTS (SELECT 1 FROM (SELECT seq, at FROM audit ORDER BY seq LIMIT 1) first" +
		" WHERE first.seq <= audit_head.seq AND first.at < ?2) ORDER BY seq DESC LIMIT 1"
)

// Prepare prepares everything on the writer's connection.
func Prepare(c *direct.Conn) (*Statements, error) {
	p := &direct.Preparer{Conn: c}
	s := &Statements{
		end:    p.Prepare(queryEnd),
		insert: p.Prepare("INSERT INTO audit (seq, at, domain, actor, action, subject, detail, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		addHead: p.Prepare("INSERT INTO audit_head (seq, hash, at, key, signature) VALUES (?, ?, ?, ?, ?)" +
			" ON CONFLICT (seq) DO UPDATE SET hash = excluded.hash, at = excluded.at, key = excluded.key, signature = excluded.signature"),
		oldHead:     p.Prepare(queryOldHead),
		deleteHeads: p.Prepare("DELETE FROM audit_head WHERE seq < ?"),
		delete:      p.Prepare("DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE seq <= ? ORDER BY seq LIMIT ?)"),
	}
	return s, p.Err
}

// End returns where the chain stands; the zero Link before the first entry.
func (s *Statements) End() (audit.Link, error) {
	found, err := s.end.Row(s.row[:2])
	if err != nil || !found {
		return audit.Link{}, err
	}
	return audit.Link{Seq: direct.Int(s.row[0]), Hash: hashOf(s.row[1])}, nil
}

// Insert keeps an entry that is chained.
func (s *Statements) Insert(e *audit.Entry) error {
	return s.insert.Run(e.Seq, direct.Micros(e.At), e.Domain, e.Actor, e.Action, e.Subject, string(e.Detail), e.Prev[:], e.Hash[:])
}

// AddHead keeps a signed head, in the place of one of the same entry.
func (s *Statements) AddHead(h *audit.Head) error {
	return s.addHead.Run(h.Seq, h.Hash[:], direct.Micros(h.At), h.Key, direct.Blob(h.Signature))
}

// OldHead returns the newest head that was signed before a time and vouches for entries that are still there, the first of which was made before first; false: there is none.
func (s *Statements) OldHead(before, first time.Time) (audit.Head, bool, error) {
	found, err := s.oldHead.Row(s.row[:], direct.Micros(before), direct.Micros(first))
	if err != nil || !found {
		return audit.Head{}, false, err
	}
	return headOf(s.row[:]), true, nil
}

// DeleteHeads deletes the heads of entries before one.
func (s *Statements) DeleteHeads(before int64) error { return s.deleteHeads.Run(before) }

// Delete deletes up to limit of the first entries up to a number, and returns how many.
func (s *Statements) Delete(last int64, limit int) (int64, error) {
	return s.delete.Exec(last, int64(limit))
}

// entryOf reads the columns of selectEntry.
func entryOf(row []driver.Value) audit.Entry {
	return audit.Entry{
		Seq: direct.Int(row[0]), At: time.UnixMicro(direct.Int(row[1])).UTC(), Domain: direct.Text(row[2]), Actor: direct.Text(row[3]), Action: direct.Text(row[4]),
		Subject: direct.Text(row[5]), Detail: json.RawMessage(direct.Text(row[6])), Prev: hashOf(row[7]), Hash: hashOf(row[8]),
	}
}

// headOf reads the columns of selectHead.
func headOf(row []driver.Value) audit.Head {
	return audit.Head{
		Link: audit.Link{Seq: direct.Int(row[0]), Hash: hashOf(row[1])}, At: direct.Time(direct.Int(row[2])), Key: direct.Text(row[3]),
		Signature: append([]byte(nil), direct.Bytes(row[4])...),
	}
}

// hashOf reads a hash. One of another length is none: the check of the chain says so.
func hashOf(v driver.Value) (h audit.Hash) {
	if b := direct.Bytes(v); len(b) == len(h) {
		copy(h[:], b)
	}
	return h
}
