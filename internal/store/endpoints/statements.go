// Package endpoints holds the SQL of endpoints with their secrets and tokens: the statements of the one writer, and the readers' queries.
package endpoints

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
)

// Statements are prepared on the writer's connection. One goroutine at a time uses them. The methods hold no decisions.
type Statements struct {
	num, insert, find, secret, update, bury, remove *direct.Stmt
	fast                                            fastStmts

	row [recordColumns]driver.Value
}

// Prepare prepares everything on the writer's connection.
func Prepare(p *direct.Preparer) *Statements {
	return &Statements{
		num: p.Prepare("SELECT num, enabled FROM endpoint WHERE domain = ? AND id = ?"),
		insert: p.Prepare("INSERT INTO endpoint (num, domain, id, enabled, created, updated, labels, groups, secret)" +
			" VALUES (1 + max(coalesce((SELECT max(num) FROM endpoint), 0), coalesce((SELECT max(num) FROM gone), 0)), ?, ?, ?, ?, ?, ?, ?, ?)" +
			" ON CONFLICT (domain, id) DO NOTHING"),
		find: p.Prepare(selectRecord + fromRecord + " WHERE e.domain = ? AND e.id = ?"),
		update: p.Prepare("UPDATE endpoint SET enabled = ?, updated = ?, labels = ?, groups = ?, secret = coalesce(?, secret)" +
			" WHERE domain = ? AND id = ?"),
		secret: p.Prepare("SELECT secret, enabled FROM endpoint WHERE domain = ? AND id = ?"),
		bury:   p.Prepare("INSERT INTO gone (num, domain, id, seq) SELECT num, domain, id, ? FROM endpoint WHERE num = ?"),
		remove: p.Prepare("DELETE FROM endpoint WHERE num = ?"),
		fast:   newFastStmts(p),
	}
}

// Num returns the number that stands for the endpoint, or endpoint.ErrUnknown.
func (s *Statements) Num(k endpoint.Key) (num int64, enabled bool, err error) {
	found, err := s.num.Row(s.row[:2], k.Domain, k.ID)
	if err != nil {
		return 0, false, err
	}
	if !found {
		return 0, false, endpoint.ErrUnknown
	}
	return direct.Int(s.row[0]), direct.Int(s.row[1]) != 0, nil
}

// Insert stores e and reports false if there is one of this key.
func (s *Statements) Insert(e *endpoint.Endpoint, secret endpoint.Secret) (bool, error) {
	labels, groups, err := encodeSets(e)
	if err != nil {
		return false, err
	}
	text, err := json.Marshal(secret)
	if err != nil {
		return false, fmt.Errorf("encode secret: %w", err)
	}
	n, err := s.insert.Exec(e.Domain, e.ID, direct.Flag(e.Enabled), direct.Micros(e.Created), direct.Micros(e.Updated), labels, groups, string(text))
	return n == 1, err
}

// Find returns an endpoint with its presence, or endpoint.ErrUnknown.
func (s *Statements) Find(k endpoint.Key) (endpoint.Record, error) {
	row := s.row[:]
	found, err := s.find.Row(row, k.Domain, k.ID)
	if err != nil {
		return endpoint.Record{}, err
	}
	if !found {
		return endpoint.Record{}, endpoint.ErrUnknown
	}
	return recordOf(row)
}

// Secret returns the secret of an endpoint and whether that is enabled, or endpoint.ErrUnknown.
func (s *Statements) Secret(k endpoint.Key) (endpoint.Secret, bool, error) {
	found, err := s.secret.Row(s.row[:2], k.Domain, k.ID)
	if err == nil && !found {
		err = endpoint.ErrUnknown
	}
	if err != nil {
		return endpoint.Secret{}, false, err
	}
	var kept endpoint.Secret
	if err := json.Unmarshal([]byte(direct.Text(s.row[0])), &kept); err != nil {
		return endpoint.Secret{}, false, fmt.Errorf("read secret of %s: %w", k, err)
	}
	return kept, direct.Int(s.row[1]) != 0, nil
}

// Update writes what can change of e; a nil secret stays as it is. Another secret and being disabled end its tokens.
func (s *Statements) Update(e *endpoint.Endpoint, secret *endpoint.Secret) error {
	labels, groups, err := encodeSets(e)
	if err != nil {
		return err
	}
	var text driver.Value
	if secret != nil {
		b, err := json.Marshal(secret)
		if err != nil {
			return fmt.Errorf("encode secret: %w", err)
		}
		text = string(b)
	}
	if secret != nil || !e.Enabled {
		num, _, err := s.Num(e.Key)
		if err != nil {
			return err
		}
		if err := s.fast.removeAll.Run(num); err != nil {
			return err
		}
	}
	return s.update.Run(direct.Flag(e.Enabled), direct.Micros(e.Updated), labels, groups, text, e.Domain, e.ID)
}

// Delete removes an endpoint of which nothing else is left but its tokens; its name stays for its events, of which that with the number last is the last one.
func (s *Statements) Delete(num, last int64) error {
	if err := s.fast.removeAll.Run(num); err != nil {
		return err
	}
	if err := s.bury.Run(last, num); err != nil {
		return err
	}
	return s.remove.Run(num)
}
