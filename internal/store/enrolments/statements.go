// Package enrolments holds the SQL of enrolment tokens and of the server's identity: the statements of the one writer, and the readers' queries.
package enrolments

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"signalbox/internal/access/enrolment"
	"signalbox/internal/store/direct"
)

// Statements are prepared on the writer's connection. One goroutine at a time uses them. The methods hold no decisions.
type Statements struct {
	insert, byHash, find, count, use, remove, forget *direct.Stmt
	setIdentity                                      *direct.Stmt

	row [columns]driver.Value // reused
}

// Prepare prepares everything on the writer's connection.
func Prepare(c *direct.Conn) (*Statements, error) {
	p := &direct.Preparer{Conn: c}
	s := &Statements{
		insert:      p.Prepare("INSERT INTO enrolment (id, domain, hash, spec, created, expires, used, last_use) VALUES (?, ?, ?, ?, ?, ?, 0, 0)"),
		byHash:      p.Prepare(selectEnrolment + " WHERE hash = ? AND domain = ?"),
		find:        p.Prepare(selectEnrolment + " WHERE id = ? AND domain = ?"),
		count:       p.Prepare("SELECT count(*) FROM enrolment"),
		use:         p.Prepare("UPDATE enrolment SET used = used + 1, last_use = ? WHERE id = ?"),
		remove:      p.Prepare("DELETE FROM enrolment WHERE id = ?"),
		forget:      p.Prepare("DELETE FROM enrolment WHERE expires < ?"),
		setIdentity: p.Prepare("INSERT INTO identity (one, public) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET public = excluded.public"),
	}
	return s, p.Err
}

// Insert keeps an enrolment that nobody has used.
func (s *Statements) Insert(e *enrolment.Enrolment) error {
	text, err := json.Marshal(spec{e.Endpoint, e.Prefix, e.Labels, e.Groups, e.Uses, e.By})
	if err != nil {
		return fmt.Errorf("encode enrolment: %w", err)
	}
	return s.insert.Run(e.ID, e.Domain, e.Hash[:], string(text), direct.Micros(e.Created), direct.Micros(e.Expires))
}

// ByHash returns the enrolment whose token has this hash, or enrolment.ErrUnknown.
func (s *Statements) ByHash(domain string, hash [32]byte) (enrolment.Enrolment, error) {
	return s.one(s.byHash, hash[:], domain)
}

// Find returns the enrolment with this id, or enrolment.ErrUnknown.
func (s *Statements) Find(domain, id string) (enrolment.Enrolment, error) {
	return s.one(s.find, id, domain)
}

func (s *Statements) one(query *direct.Stmt, args ...driver.Value) (enrolment.Enrolment, error) {
	found, err := query.Row(s.row[:], args...)
	if err == nil && !found {
		err = enrolment.ErrUnknown
	}
	if err != nil {
		return enrolment.Enrolment{}, err
	}
	return enrolmentOf(s.row[:])
}

// Count returns how many there are.
func (s *Statements) Count() (int64, error) {
	if _, err := s.count.Row(s.row[:1]); err != nil {
		return 0, err
	}
	return direct.Int(s.row[0]), nil
}

// Use counts an endpoint that was enrolled.
func (s *Statements) Use(id string, now time.Time) error { return s.use.Run(direct.Micros(now), id) }

// Delete deletes one.
func (s *Statements) Delete(id string) error { return s.remove.Run(id) }

// Forget deletes those that expired before a time.
func (s *Statements) Forget(before time.Time) error { return s.forget.Run(direct.Micros(before)) }

// SetIdentity keeps the public key of the server.
func (s *Statements) SetIdentity(public string) error { return s.setIdentity.Run(public) }

// spec is what of an Enrolment never changes, as it is stored.
type spec struct {
	Endpoint string            `json:"endpoint,omitempty"`
	Prefix   string            `json:"prefix,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Groups   []string          `json:"groups,omitempty"`
	Uses     int               `json:"uses"`
	By       string            `json:"by"`
}
