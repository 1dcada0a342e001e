package endpoints

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
)

type fastStmts struct {
	save, trim, remove, removeAll *direct.Stmt
}

// The columns that fastTokensOf reads.
const (
	selectFast  = "SELECT mark, current, new FROM fast_token"
	fastColumns = 3
)

func newFastStmts(p *direct.Preparer) fastStmts {
	return fastStmts{
		save: p.Prepare("INSERT INTO fast_token (ep, client, mark, current, new, expires) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (ep, client) DO UPDATE SET" +
			" mark = excluded.mark, current = excluded.current, new = excluded.new, expires = excluded.expires"),
		trim: p.Prepare("DELETE FROM fast_token WHERE ep = ?1 AND client <> ?2 AND client NOT IN" +
			" (SELECT client FROM fast_token WHERE ep = ?1 AND client <> ?2 ORDER BY expires DESC, client LIMIT ?3)"),
		remove:    p.Prepare("DELETE FROM fast_token WHERE ep = ? AND client = ?"),
		removeAll: p.Prepare("DELETE FROM fast_token WHERE ep = ?"),
	}
}

// SaveFastTokens stores the tokens of a client and takes those of others if there are too many.
func (s *Statements) SaveFastTokens(num int64, client string, tokens *endpoint.FastTokens) error {
	current, err := json.Marshal(tokens.Current)
	if err != nil {
		return fmt.Errorf("encode token: %w", err)
	}
	fresh, err := json.Marshal(tokens.New)
	if err != nil {
		return fmt.Errorf("encode token: %w", err)
	}
	expires := max(direct.Micros(tokens.Current.Expires), direct.Micros(tokens.New.Expires))
	if err := s.fast.save.Run(num, client, tokens.Mark, current, fresh, expires); err != nil {
		return err
	}
	return s.fast.trim.Run(num, client, int64(endpoint.MaxFastClients-1))
}

// RemoveFastTokens deletes the tokens of a client.
func (s *Statements) RemoveFastTokens(num int64, client string) error {
	return s.fast.remove.Run(num, client)
}

// fastTokensOf reads the columns of selectFast.
func fastTokensOf(row []driver.Value) (t endpoint.FastTokens, err error) {
	t.Mark = append([]byte(nil), direct.Bytes(row[0])...)
	for i, into := range []*endpoint.FastToken{&t.Current, &t.New} {
		if err := json.Unmarshal(direct.Bytes(row[1+i]), into); err != nil {
			return endpoint.FastTokens{}, fmt.Errorf("read token: %w", err)
		}
	}
	return t, nil
}
