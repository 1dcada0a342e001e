package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"

	"signalbox/internal/push"
	"signalbox/internal/store/failure"
)

// copyPages is how many pages are copied between two looks at whether the copy is still wanted: 8 MiB.
const copyPages = 2048

// Copy writes what is committed in the database file at path to a new file, which only its owner may read. It is the state of one moment after the call, with all that was answered
// before. Beside a server it works as without one: SQLite's log lets others read while the server writes, and what it writes meanwhile goes to the log, which grows by as much. The copy
// needs no log, and is not on stable storage when Copy returns.
func Copy(ctx context.Context, path, to string) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	return onFile(ctx, path, func(db *sql.DB) error {
		c, err := db.Conn(ctx)
		if err != nil {
			return fmt.Errorf("copy the database: %w", failure.Of(err))
		}
		defer c.Close()
		err = failure.Of(copyMoment(ctx, c, to))
		if errors.Is(err, push.ErrNoSpace) {
			return fmt.Errorf("copy the database: %s takes no more, and as much as the database has is needed: %w", filepath.Dir(to), syscall.ENOSPC)
		}
		if err != nil {
			return fmt.Errorf("copy the database: %w", err)
		}
		return nil
	})
}

// copyMoment copies within one transaction that reads. Without it every change by the server would have the copy begin anew.
func copyMoment(ctx context.Context, c *sql.Conn, to string) (err error) {
	if _, err := c.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return err
	}
	defer func() {
		_, errEnd := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, errEnd)
	}()
	var tables int
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil { // with this the moment is fixed
		return err
	}
	return c.Raw(func(conn any) error {
		b, err := conn.(interface {
			NewBackup(string) (*sqlite.Backup, error)
		}).NewBackup(dsn(to, map[string]string{"synchronous": "OFF", "journal_mode": "OFF"}))
		if err != nil {
			return err
		}
		return errors.Join(copySteps(ctx, b), b.Finish())
	})
}

func copySteps(ctx context.Context, b *sqlite.Backup) error {
	for {
		more, err := b.Step(copyPages)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !more {
			return err
		}
	}
}

// Check reads a database file that nobody uses, as Copy makes it, and returns an error that is failure.ErrCorrupt where it is damaged.
func Check(ctx context.Context, path string) error {
	return onQuietFile(path, func(db *sql.DB) error { return check(ctx, db, path) })
}

// CheckBeside is Check for a file that a server may be using. It reads all of it, and the log grows by what the server writes meanwhile.
func CheckBeside(ctx context.Context, path string) error {
	return onFile(ctx, path, func(db *sql.DB) error { return check(ctx, db, path) })
}

func check(ctx context.Context, db *sql.DB, path string) error {
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return fmt.Errorf("check %s: %w", path, failure.Of(err))
	}
	if found != "ok" {
		return fmt.Errorf("check %s: %w: %s", path, failure.ErrCorrupt, found)
	}
	return nil
}

// onQuietFile runs work on a database file that nobody else uses, and leaves nothing beside it.
func onQuietFile(path string, work func(*sql.DB) error) (err error) {
	db, err := openDB(dsn(path, nil) + "&mode=ro&immutable=1")
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	return work(db)
}

// eventLeap is by how much the numbers of events go on after a restore: more than any server has made between a backup and its loss, and few enough that JavaScript counts 8,000 restores
// exactly.
const eventLeap = 1 << 40

// Restored prepares a copy that a server is to go on with. Events that were told after the copy was made have numbers that it does not know of: the next ones begin far behind
// them, so that no receiver takes a new event for one that it had. The ids of pushes hold the time and need nothing.
func Restored(ctx context.Context, path string) error {
	return onFile(ctx, path, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "UPDATE meta SET last_event = last_event + ?1", int64(eventLeap))
		if err != nil {
			return fmt.Errorf("prepare the restored database: %w", failure.Of(err))
		}
		return nil
	})
}

// KnownSchema returns the version of the newest migration that this program has.
func KnownSchema() (newest int64, err error) {
	known, err := knownMigrations()
	for _, v := range known {
		newest = max(newest, v)
	}
	return newest, err
}
