package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/access"
	"signalbox/internal/store/direct"
)

type tokenStmts struct {
	insert, removeID, removeName *direct.Stmt
}

// The columns that tokenOf reads.
const (
	selectToken  = "SELECT id, name, hash, scopes, created FROM token"
	tokenColumns = 5
)

func newTokenStmts(p *direct.Preparer) tokenStmts {
	return tokenStmts{
		insert:     p.Prepare("INSERT INTO token (id, name, hash, scopes, created) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING"),
		removeID:   p.Prepare("DELETE FROM token WHERE id = ?"),
		removeName: p.Prepare("DELETE FROM token WHERE name = ?"),
	}
}

// insertToken stores k, or returns access.ErrTokenName.
func (t *tx) insertToken(k *access.Token) error {
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return fmt.Errorf("encode scopes: %w", err)
	}
	n, err := t.token.insert.Exec(k.ID, k.Name, k.Hash[:], string(scopes), direct.Micros(k.Created))
	if err == nil && n == 0 {
		err = access.ErrTokenName
	}
	return err
}

// deleteToken deletes the token with this id, else the one with this name, or returns access.ErrUnknownToken.
func (t *tx) deleteToken(idOrName string) error {
	for _, s := range []*direct.Stmt{t.token.removeID, t.token.removeName} {
		if n, err := s.Exec(idOrName); err != nil || n > 0 {
			return err
		}
	}
	return access.ErrUnknownToken
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
