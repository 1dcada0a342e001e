// Package tokens holds the SQL of API tokens: the statements of the one writer, and the readers' queries.
package tokens

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/access"
	"signalbox/internal/store/direct"
)

// Statements are prepared on the writer's connection. One goroutine at a time uses them.
type Statements struct {
	insert, removeID, removeName *direct.Stmt

	row [2]driver.Value // reused
}

// The columns that tokenOf reads.
const (
	selectToken  = "SELECT id, name, hash, scopes, created FROM token"
	tokenColumns = 5
)

// Prepare prepares everything on the writer's connection.
func Prepare(p *direct.Preparer) *Statements {
	return &Statements{
		insert:     p.Prepare("INSERT INTO token (id, name, hash, scopes, created) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING"),
		removeID:   p.Prepare("DELETE FROM token WHERE id = ? RETURNING id, name"),
		removeName: p.Prepare("DELETE FROM token WHERE name = ? RETURNING id, name"),
	}
}

// Insert stores k, or returns access.ErrTokenName.
func (s *Statements) Insert(k *access.Token) error {
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return fmt.Errorf("encode scopes: %w", err)
	}
	n, err := s.insert.Exec(k.ID, k.Name, k.Hash[:], string(scopes), direct.Micros(k.Created))
	if err == nil && n == 0 {
		err = access.ErrTokenName
	}
	return err
}

// Delete deletes the token with this id, else the one with this name, and returns both, or access.ErrUnknownToken.
func (s *Statements) Delete(idOrName string) (id, name string, err error) {
	for _, stmt := range []*direct.Stmt{s.removeID, s.removeName} {
		if found, err := stmt.Row(s.row[:], idOrName); err != nil || found {
			return direct.Text(s.row[0]), direct.Text(s.row[1]), err
		}
	}
	return "", "", access.ErrUnknownToken
}

// tokenOf reads the columns of selectToken.
func tokenOf(row []driver.Value) (access.Token, error) {
	t := access.Token{ID: direct.Text(row[0]), Name: direct.Text(row[1]), Created: direct.Time(direct.Int(row[4]))}
	copy(t.Hash[:], direct.Bytes(row[2]))
	if err := json.Unmarshal([]byte(direct.Text(row[3])), &t.Scopes); err != nil {
		return access.Token{}, fmt.Errorf("read scopes of %s: %w", t.ID, err)
	}
	return t, nil
}
