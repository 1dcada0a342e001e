package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"signalbox/internal/store/failure"
)

// Statistics says how large a database is, and nothing of what is in it.
type Statistics struct {
	Bytes     int64            `json:"bytes"`      // of the database file
	FreeBytes int64            `json:"free_bytes"` // of it, that are used before it grows
	LogBytes  int64            `json:"log_bytes"`  // of the log beside it
	Rows      map[string]int64 `json:"rows"`       // by table
}

// Measure counts the rows of the database file at path, beside a server that uses it or not, and changes nothing. It reads an index of each table; where ctx ends, those that were counted stand.
func Measure(ctx context.Context, path string) (s Statistics, err error) {
	s.Rows = map[string]int64{}
	switch info, err := os.Stat(path + "-wal"); {
	case err == nil:
		s.LogBytes = info.Size()
	case !errors.Is(err, fs.ErrNotExist):
		return s, fmt.Errorf("look at the log of the database: %w", err)
	}
	err = onFile(ctx, path, func(db *sql.DB) error {
		if err := s.measure(ctx, db); err != nil {
			return fmt.Errorf("measure %s: %w", path, failure.Of(err))
		}
		return nil
	})
	return s, err
}

func (s *Statistics) measure(ctx context.Context, db *sql.DB) error {
	var size, pages, free int64
	for pragma, to := range map[string]*int64{"page_size": &size, "page_count": &pages, "freelist_count": &free} {
		if err := db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(to); err != nil {
			return err
		}
	}
	s.Bytes, s.FreeBytes = size*pages, size*free
	tables, err := tableNames(ctx, db)
	if err != nil {
		return err
	}
	for _, name := range tables {
		var n int64
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM "`+strings.ReplaceAll(name, `"`, `""`)+`"`).Scan(&n); err != nil {
			return err
		}
		s.Rows[name] = n
	}
	return nil
}

func tableNames(ctx context.Context, db *sql.DB) (names []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
