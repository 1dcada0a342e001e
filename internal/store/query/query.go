// Package query reads by database/sql, for the readers of all domains.
package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"signalbox/internal/store/failure"
)

// Prepare prepares many statements.
func Prepare(ctx context.Context, db *sql.DB, queries map[string]**sql.Stmt) error {
	for query, into := range queries {
		var err error
		if *into, err = db.PrepareContext(ctx, query); err != nil {
			return fmt.Errorf("prepare %q: %w", query, err)
		}
	}
	return nil
}

// Each scans every row of a query into a buffer and calls f.
func Each(ctx context.Context, s *sql.Stmt, columns int, f func(row []driver.Value) error, args ...any) error {
	rows, err := s.QueryContext(ctx, args...)
	return scan(rows, err, columns, f)
}

// Ask is Each for a query that is asked too rarely to be prepared.
func Ask(ctx context.Context, db *sql.DB, text string, columns int, f func(row []driver.Value) error, args ...any) error {
	rows, err := db.QueryContext(ctx, text, args...)
	return scan(rows, err, columns, f)
}

func scan(rows *sql.Rows, err error, columns int, f func(row []driver.Value) error) error {
	if err != nil {
		return failure.Of(err)
	}
	defer rows.Close()
	row, values, dest := make([]driver.Value, columns), make([]any, columns), make([]any, columns)
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i, v := range values {
			row[i] = v
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return failure.Of(rows.Err())
}

// List collects what read makes of every row.
func List[T any](ctx context.Context, s *sql.Stmt, columns int, read func([]driver.Value) (T, error), args ...any) ([]T, error) {
	var all []T
	err := Each(ctx, s, columns, func(row []driver.Value) error {
		v, err := read(row)
		all = append(all, v)
		return err
	}, args...)
	return all, err
}

// One returns what read makes of the only row, or unknown if there is none.
func One[T any](ctx context.Context, s *sql.Stmt, columns int, read func([]driver.Value) (T, error), unknown error, args ...any) (T, error) {
	all, err := List(ctx, s, columns, read, args...)
	if err == nil && len(all) == 0 {
		err = unknown
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return all[0], nil
}
