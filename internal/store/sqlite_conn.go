package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
)

// conn is the writer's connection. It uses the driver without database/sql, whose locks and conversions cost as much as a short statement. One goroutine
// uses it.
type conn struct {
	driver driver.Conn
	stmts  []*stmt
}

func openConn(dsn string) (*conn, error) {
	c, err := new(sqlite.Driver).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &conn{driver: c}, nil
}

// close closes the connection and its statements.
func (c *conn) close() error {
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

// stmt is a prepared statement with its buffers.
type stmt struct {
	stmt preparedStmt
	args []driver.NamedValue
}

func (c *conn) prepare(query string) (*stmt, error) {
	ds, err := c.driver.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	s := &stmt{stmt: ds.(preparedStmt)}
	c.stmts = append(c.stmts, s)
	return s, nil
}

// bind puts args into the reused buffer. They are int64, string, []byte or nil.
func (s *stmt) bind(args []driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s.args
}

// exec runs the statement and returns how many rows it changed.
func (s *stmt) exec(args ...driver.Value) (int64, error) {
	r, err := s.stmt.ExecContext(context.Background(), s.bind(args))
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// run is exec for those who do not ask for the number of rows.
func (s *stmt) run(args ...driver.Value) error {
	_, err := s.stmt.ExecContext(context.Background(), s.bind(args))
	return err
}

// row reads the first row into dest and reports whether there is one.
func (s *stmt) row(dest []driver.Value, args ...driver.Value) (found bool, err error) {
	err = s.each(dest, func() error {
		found = true
		return io.EOF
	}, args...)
	return found, err
}

// each reads every row into dest and calls f; io.EOF from f ends it without an error.
func (s *stmt) each(dest []driver.Value, f func() error, args ...driver.Value) (err error) {
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

// The columns of a row as they come from the driver; NULL gives the zero value.

func intOf(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func textOf(v driver.Value) string {
	s, _ := v.(string)
	return s
}

func bytesOf(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}
