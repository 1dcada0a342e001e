// Package direct uses a connection to SQLite without database/sql, whose locks and conversions cost as much as a short statement.
package direct

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
)

// Conn is a connection with its statements. One goroutine at a time uses it and them.
type Conn struct {
	driver driver.Conn
	stmts  []*Stmt
}

// Open opens the database that dsn names, in the words of the driver.
func Open(dsn string) (*Conn, error) {
	c, err := new(sqlite.Driver).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &Conn{driver: c}, nil
}

// Close closes the connection and its statements.
func (c *Conn) Close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.stmt.Close())
	}
	return errors.Join(append(errs, c.driver.Close())...)
}

// preparedStmt is what the driver's statements can do.
type preparedStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// Stmt is a prepared statement with its buffers. Its arguments are int64, string, []byte or nil.
type Stmt struct {
	stmt preparedStmt
	args []driver.NamedValue
}

// Prepare prepares a statement, which ends with the connection.
func (c *Conn) Prepare(query string) (*Stmt, error) {
	ds, err := c.driver.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	s := &Stmt{stmt: ds.(preparedStmt)}
	c.stmts = append(c.stmts, s)
	return s, nil
}

// bind puts args into the reused buffer.
func (s *Stmt) bind(args []driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s.args
}

// Exec runs the statement and returns how many rows it changed.
func (s *Stmt) Exec(args ...driver.Value) (int64, error) {
	r, err := s.stmt.ExecContext(context.Background(), s.bind(args))
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Run is Exec for those who do not ask for the number of rows.
func (s *Stmt) Run(args ...driver.Value) error {
	_, err := s.stmt.ExecContext(context.Background(), s.bind(args))
	return err
}

// Row reads the first row into dest and reports whether there is one.
func (s *Stmt) Row(dest []driver.Value, args ...driver.Value) (found bool, err error) {
	err = s.Each(dest, func() error {
		found = true
		return io.EOF
	}, args...)
	return found, err
}

// Each reads every row into dest and calls f; io.EOF from f ends it without an error.
func (s *Stmt) Each(dest []driver.Value, f func() error, args ...driver.Value) (err error) {
	rows, err := s.stmt.QueryContext(context.Background(), s.bind(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		err := rows.Next(dest)
		if err == nil {
			err = f()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
