package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"

	"signalbox/internal/store/direct"
	"signalbox/internal/store/failure"
	"signalbox/internal/store/pushes"
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

const (
	busyTimeout = "5000" // ms; how long a write waits for another process
	readers     = 4      // connections at least
	listReaders = 2      // connections for what may read many rows

	// The writer copies the log into the database when it holds this many pages of 4 KiB. A longer log, or a second connection that copies, made commits no
	// faster.
	checkpointPages = "4000"
	// cacheKiB is the writer's page cache. 16 and 64 MiB made commits slower: SQLite walks through the cache at the end of each.
	cacheKiB = "8192"
)

// sqliteDB is an open database: the writer's connection and the readers'.
type sqliteDB struct {
	writer *sqliteWriter
	reader *reader
}

func openSQLite(ctx context.Context, path string) (*sqliteDB, error) {
	if err := createFile(path); err != nil {
		return nil, err
	}
	if err := migrate(ctx, path); err != nil {
		return nil, err
	}
	db := &sqliteDB{}
	c, err := direct.Open(dsn(path, map[string]string{
		"busy_timeout": busyTimeout, "synchronous": "FULL", "wal_autocheckpoint": checkpointPages, "cache_size": "-" + cacheKiB,
	}))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, failure.Of(err))
	}
	db.writer = &sqliteWriter{conn: c}
	if db.writer.tx, err = newTx(c); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, failure.Of(err)), c.Close())
	}
	if db.reader, err = openReader(ctx, path, db.writer.tx.push.Recent()); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, failure.Of(err)), c.Close())
	}
	return db, nil
}

// close closes all connections.
func (db *sqliteDB) close() error {
	return errors.Join(db.reader.close(), db.writer.conn.Close())
}

func openReader(ctx context.Context, path string, recent *pushes.Recent) (*reader, error) {
	db, err := openPool(ctx, path, max(readers, runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, err
	}
	lists, err := openPool(ctx, path, listReaders)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	r, err := newReader(ctx, db, lists, recent)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// openPool opens connections that only read.
func openPool(ctx context.Context, path string, n int) (*sql.DB, error) {
	pool, err := openDB(dsn(path, map[string]string{"busy_timeout": busyTimeout, "query_only": "1"}))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	if err := openFiles(ctx, pool, n); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return pool, nil
}

// openFiles makes all connections of a pool open their files, which they keep: later the process may be out of descriptors.
func openFiles(ctx context.Context, pool *sql.DB, n int) (err error) {
	var open []*sql.Conn
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.Close())
		}
	}()
	for range n {
		c, err := pool.Conn(ctx)
		if err != nil {
			return err
		}
		open = append(open, c)
		var one int
		if err := c.QueryRowContext(ctx, "SELECT one FROM meta").Scan(&one); err != nil {
			return err
		}
	}
	return nil
}

func openDB(dsn string) (*sql.DB, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// dsn is how the driver takes a path and settings of a connection.
func dsn(path string, pragmas map[string]string) string {
	q := url.Values{"_txlock": {"immediate"}}
	for name, value := range pragmas {
		q.Add("_pragma", name+"("+value+")")
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// createFile makes the directory and an empty file, so that nobody else can read what is written later: SQLite gives its other files the same rights.
func createFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return failure.OfPath("create the directory of the database", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return failure.OfPath("open the database", err)
	}
	return f.Close()
}

// migrate brings the schema up to date. Two processes may do it at once.
func migrate(ctx context.Context, path string) (err error) {
	pool, err := openDB(dsn(path, map[string]string{"busy_timeout": busyTimeout, "journal_mode": "WAL", "synchronous": "FULL"}))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	dir, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, pool, dir, goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true),
		goose.WithAllowOutofOrder(true)) // numbers have gaps, which later ones may fill
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	current, known, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version of %s: %w", path, failure.Of(err))
	}
	if current > known {
		return fmt.Errorf("%s has schema version %d, this program knows up to %d: use the newer signalbox that wrote it, or restore a backup from before the upgrade",
			path, current, known)
	}
	if _, err := p.Up(ctx); err != nil {
		// The other process may have been faster; then there is nothing left to do.
		if _, again := p.Up(ctx); again != nil {
			return fmt.Errorf("bring the schema of %s up to date: %w", path, failure.Of(err))
		}
	}
	return nil
}
