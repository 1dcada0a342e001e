// Package failure says what errors of SQLite mean, and what to do about them.
package failure

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"signalbox/internal/push"
)

// Errors that concern the whole database, not one operation.
var (
	ErrStorage = errors.New("the database cannot be used")
	ErrStalled = errors.New("a write to the database does not end; look for disk errors in the kernel's log")
	ErrCorrupt = errors.New("the database file is damaged; stop the server and restore a backup")
)

// Of turns an error of the driver into one that says what to do. Errors of single statements are returned as they are.
func Of(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: free space on the file system of data_dir: %w", push.ErrNoSpace, err)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch code := e.Code(); code & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: free space on the file system of data_dir: %w", push.ErrNoSpace, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: another process holds the database; end it or try again: %w", push.ErrBusy, err)
	case sqlite3.SQLITE_IOERR:
		return ioError(code, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return fmt.Errorf("%w: make data_dir and the files in it writable for the user that runs signalbox: %w", ErrStorage, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_PROTOCOL:
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return err
}

// ioError tells failed writes, which mostly mean a full or a failing disk, from the rest.
func ioError(code int, err error) error {
	switch code {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMSIZE:
		return fmt.Errorf("%w: the disk does not take writes; free space, or look for its errors in the kernel's log: %w", push.ErrNoSpace, err)
	}
	return fmt.Errorf("%w: look for disk errors in the kernel's log: %w", ErrStorage, err)
}

// ConcernsAll reports whether err would meet every other operation as well, so that splitting a batch is no use.
func ConcernsAll(err error) bool {
	return errors.Is(err, push.ErrNoSpace) || errors.Is(err, push.ErrBusy) || errors.Is(err, ErrStorage) || errors.Is(err, ErrCorrupt)
}

// Kind names an error for a metric: one of Kinds.
func Kind(err error) string {
	switch {
	case errors.Is(err, push.ErrNoSpace):
		return "no_space"
	case errors.Is(err, push.ErrBusy):
		return "busy"
	case ConcernsAll(err):
		return "storage"
	}
	return "operation"
}

// Kinds are all kinds of error.
var Kinds = []string{"no_space", "busy", "storage", "operation"}

// OfPath says what to do about a directory or file that cannot be used.
func OfPath(doing string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w; make it writable for the user that runs signalbox, or set data_dir to another directory", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
