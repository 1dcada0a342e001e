package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pressly/goose/v3"
	"golang.org/x/sys/unix"

	"signalbox/internal/store/failure"
)

// Schema is what Inspect finds: how far the schema of a database is.
type Schema struct {
	Version int64 `json:"version"` // of the newest migration that was applied; 0: none was
	Known   int64 `json:"known"`   // of the newest migration that this program has
	Missing int   `json:"missing"` // migrations of this program that were not applied; Open applies them
}

// Inspect looks at the schema of the database file at path, which Locate returns, beside a server that uses it or not. It makes no file and changes nothing. A file
// that does not exist is an error by fs.ErrNotExist.
func Inspect(ctx context.Context, path string) (s Schema, err error) {
	err = onFile(ctx, path, func(db *sql.DB) error {
		applied, err := appliedMigrations(ctx, db)
		if err != nil {
			return fmt.Errorf("read the schema version of %s: %w", path, failure.Of(err))
		}
		for v := range applied {
			s.Version = max(s.Version, v)
		}
		known, err := knownMigrations()
		for _, v := range known {
			s.Known = max(s.Known, v)
			if !applied[v] {
				s.Missing++
			}
		}
		return err
	})
	return s, err
}

// TryWrite takes the lock of the one writer, and gives it back with nothing written. It waits busyTimeout for another process that writes.
func TryWrite(ctx context.Context, path string) error {
	return onFile(ctx, path, func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil) // immediate, by the dsn
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			return fmt.Errorf("write to %s: %w", path, failure.Of(err))
		}
		return nil
	})
}

// onFile runs work on one connection to a database file that is there.
func onFile(ctx context.Context, path string, work func(*sql.DB) error) (err error) {
	// Looked at without being opened: with the close of any descriptor of the file this process would lose its locks on it, those of a running server among them. Then the
	// next process that closes the database would take itself for the last, and delete the log that the server writes.
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "open", Path: path, Err: unix.EISDIR}
	}
	if err == nil && unix.Access(path, unix.R_OK|unix.W_OK) != nil {
		err = &fs.PathError{Op: "open", Path: path, Err: unix.EACCES}
	}
	if err != nil {
		return failure.OfPath("open the database", err)
	}
	db, err := openDB(dsn(path, map[string]string{"busy_timeout": busyTimeout}) + "&mode=rw")
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	return work(db)
}

// appliedMigrations returns the versions that the database has; none of a file that no server has opened yet.
func appliedMigrations(ctx context.Context, db *sql.DB) (map[int64]bool, error) {
	var tables int
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = ?1", goose.DefaultTablename).Scan(&tables)
	if err != nil || tables == 0 {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT version_id FROM "+goose.DefaultTablename+" WHERE is_applied")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	applied := map[int64]bool{}
	for rows.Next() {
		var v int64
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		applied[v] = true
	}
	return applied, rows.Err()
}

// knownMigrations returns the versions that this program has.
func knownMigrations() (versions []int64, err error) {
	files, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	for _, f := range files {
		v, err := goose.NumericComponent(f)
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		versions = append(versions, v)
	}
	return versions, err
}
