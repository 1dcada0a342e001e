package store

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
	errStorage = errors.New("the database cannot be used")
	errStalled = errors.New("a write to the database does not end; look for disk errors in the kernel's log")
	errCorrupt = errors.New("the database file is damaged; stop the server and restore a backup")
)

// sqliteError turns an error of the driver into one that says what to do. Errors of single statements are returned as they are.
func sqliteError(err error) error {
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
		return fmt.Errorf("%w: %w", errCorrupt, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return fmt.Errorf("%w: make data_dir and the files in it writable for the user that runs signalbox: %w", errStorage, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_PROTOCOL:
		return fmt.Errorf("%w: %w", errStorage, err)
	}
	return err
}

// ioError tells failed writes, which mostly mean a full or a failing disk, from the rest.
func ioError(code int, err error) error {
	switch code {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMSIZE:
		return fmt.Errorf("%w: the disk does not take writes; free space, or look for its errors in the kernel's log: %w", push.ErrNoSpace, err)
	}
	return fmt.Errorf("%w: look for disk errors in the kernel's log: %w", errStorage, err)
}

// concernsAll reports whether err would meet every other operation as well, so that splitting a batch is no use.
func concernsAll(err error) bool {
	return errors.Is(err, push.ErrNoSpace) || errors.Is(err, push.ErrBusy) || errors.Is(err, errStorage) || errors.Is(err, errCorrupt)
}

// errorKind names an error for the metric.
func errorKind(err error) string {
	switch {
	case errors.Is(err, push.ErrNoSpace):
		return "no_space"
	case errors.Is(err, push.ErrBusy):
		return "busy"
	case concernsAll(err):
		return "storage"
	}
	return "operation"
}

var errorKinds = []string{"no_space", "busy", "storage", "operation"}

// pathError says what to do about a directory or file that cannot be used.
func pathError(doing string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w; make it writable for the user that runs signalbox, or set data_dir to another directory", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
