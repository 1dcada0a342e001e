// Package remotesessions holds the SQL of remote sessions: the statements of the one writer, and the readers' queries.
package remotesessions

import (
	"database/sql/driver"
	"time"

	"signalbox/internal/remote"
	"signalbox/internal/store/direct"
)

// Statements are prepared on the writer's connection. One goroutine at a time uses them. The methods hold no decisions.
type Statements struct {
	insert, update, deleteOld *direct.Stmt
}

// Prepare prepares everything on the writer's connection.
func Prepare(c *direct.Conn) (*Statements, error) {
	p := &direct.Preparer{Conn: c}
	s := &Statements{
		insert: p.Prepare("INSERT INTO remote_session (id, domain, endpoint, technician, state, ended, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
		update: p.Prepare("UPDATE remote_session SET state = ?5, ended = ?6, record = ?7 WHERE id = ?1 AND domain = ?2 AND endpoint = ?3 AND technician = ?4"),
		deleteOld: p.Prepare("DELETE FROM remote_session WHERE id IN (SELECT id FROM remote_session INDEXED BY remote_session_ended WHERE ended > 0 AND ended < ?" +
			" ORDER BY ended LIMIT ?)"),
	}
	return s, p.Err
}

// Insert keeps a new session.
func (s *Statements) Insert(r *remote.Session) error {
	values, err := valuesOf(r)
	if err != nil {
		return err
	}
	return s.insert.Run(values[:]...)
}

// Update writes a session as it is now, or returns remote.ErrUnknown.
func (s *Statements) Update(r *remote.Session) error {
	values, err := valuesOf(r)
	if err != nil {
		return err
	}
	n, err := s.update.Exec(values[:]...)
	if err == nil && n == 0 {
		err = remote.ErrUnknown
	}
	return err
}

// DeleteOld deletes up to limit sessions that ended before a time, and returns how many.
func (s *Statements) DeleteOld(before time.Time, limit int) (int64, error) {
	return s.deleteOld.Exec(direct.Micros(before), int64(limit))
}

// valuesOf are the columns of a session.
func valuesOf(r *remote.Session) ([7]driver.Value, error) {
	text, err := encode(r)
	return [7]driver.Value{int64(r.ID), r.Domain, r.Endpoint, r.Technician.ID, string(r.State), direct.Micros(r.Ended), text}, err
}
