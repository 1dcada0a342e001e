// Package turnsessions holds the SQL of TURN sessions: the statements of the one writer, and the readers' queries.
package turnsessions

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"signalbox/internal/store/direct"
	"signalbox/internal/turnsession"
)

// Statements are prepared on the writer's connection. One goroutine at a time uses them. The methods hold no decisions.
type Statements struct {
	insert, find, end, count, deleteOld *direct.Stmt

	row [columns]driver.Value // reused
}

// Prepare prepares everything on the writer's connection.
func Prepare(c *direct.Conn) (*Statements, error) {
	p := &direct.Preparer{Conn: c}
	s := &Statements{
		insert: p.Prepare("INSERT INTO turn_session (id, domain, spec, created, expires, ended, reason, counters, counted) VALUES (?, ?, ?, ?, ?, 0, '', '{}', 0)"),
		find:   p.Prepare(selectSession + " WHERE id = ?"),
		end:    p.Prepare("UPDATE turn_session SET ended = ?2, reason = ?3, counters = ?4, counted = ?5 WHERE id = ?1"),
		count:  p.Prepare("UPDATE turn_session SET counters = ?2, counted = ?3 WHERE id = ?1 AND ended = 0"),
		deleteOld: p.Prepare("DELETE FROM turn_session WHERE id IN (SELECT id FROM turn_session INDEXED BY turn_session_ended WHERE ended > 0 AND ended < ?" +
			" ORDER BY ended LIMIT ?)"),
	}
	return s, p.Err
}

// Insert keeps a session that is open.
func (s *Statements) Insert(r *turnsession.Session) error {
	text, err := json.Marshal(spec{r.AllowPeers, r.Endpoints, r.Technician, r.MaxAllocations, r.Rate, r.By})
	if err != nil {
		return fmt.Errorf("encode TURN session: %w", err)
	}
	return s.insert.Run(int64(r.ID), r.Domain, string(text), direct.Micros(r.Created), direct.Micros(r.Expires))
}

// Find returns a session, or turnsession.ErrUnknown.
func (s *Statements) Find(id turnsession.ID) (turnsession.Session, error) {
	found, err := s.find.Row(s.row[:], int64(id))
	if err == nil && !found {
		err = turnsession.ErrUnknown
	}
	if err != nil {
		return turnsession.Session{}, err
	}
	return sessionOf(s.row[:])
}

// End writes the end of a session as it stands in the record.
func (s *Statements) End(r *turnsession.Session) error {
	counters, err := encodeCounters(&r.Counters)
	if err != nil {
		return err
	}
	return s.end.Run(int64(r.ID), direct.Micros(r.Ended), r.Reason, counters, direct.Micros(r.Counted))
}

// Count writes what an open session has moved.
func (s *Statements) Count(c *turnsession.Count) error {
	counters, err := encodeCounters(&c.Counters)
	if err != nil {
		return err
	}
	return s.count.Run(int64(c.ID), counters, direct.Micros(c.At))
}

// DeleteOld deletes up to limit sessions that ended before a time, and returns how many.
func (s *Statements) DeleteOld(before time.Time, limit int) (int64, error) {
	return s.deleteOld.Exec(direct.Micros(before), int64(limit))
}

// spec is what of a turnsession.Session never changes, as it is stored.
type spec struct {
	AllowPeers     []netip.Prefix     `json:"allow_peers,omitempty"`
	Endpoints      [2]string          `json:"endpoints"`
	Technician     string             `json:"technician,omitempty"`
	MaxAllocations int                `json:"max_allocations,omitempty"`
	Rate           int64              `json:"rate,omitempty"`
	By             turnsession.Caller `json:"by"`
}

func encodeCounters(c *turnsession.Counters) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode counters: %w", err)
	}
	return string(text), nil
}
