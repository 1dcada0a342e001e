// Package datadir knows the directory in which a server keeps its state: who uses it, which files in it belong to one run alone, and whether a restore into it is whole.
package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Names of files in the directory that say something of one run, and nothing to the next.
const (
	ReadyFile = "signalbox.ready" // on which addresses a running server listens
	KeptFile  = "sessions.kept"   // sessions that can be resumed after a stop: by the very next start, or never
	lockFile  = "signalbox.lock"
)

// Names of what a restore makes in the directory.
const (
	StageName     = "restore.part"       // where the archive is unpacked, and goes when all is in its place
	AsidePrefix   = "before-restore-"    // begins the name of the folder with what was there before
	FilesName     = "restored-files"     // files of the backup from outside the directory, the configuration among them
	unfinishedKey = "restore.unfinished" // is there from the first change of what was there before to the last
)

// ErrUnfinished is the error of CheckWhole.
var ErrUnfinished = errors.New("a restore into it was cut off: run \"signalbox restore --force\" again with the same archive; what was there before is in the folders " + AsidePrefix + "*")

// CheckWhole returns an error that is ErrUnfinished where a restore has moved some files to their places and not all: a server that started there would serve half of a state.
func CheckWhole(dir string) error {
	_, err := os.Lstat(filepath.Join(dir, unfinishedKey))
	if err == nil {
		return fmt.Errorf("data_dir %s: %w", dir, ErrUnfinished)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("look into data_dir: %w", err)
}

// BeginRestore marks the directory as unfinished, for good before it returns.
func BeginRestore(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, unfinishedKey), nil, 0o600); err != nil {
		return err
	}
	return SyncDir(dir)
}

// EndRestore says that the directory is whole, once all that was done before is on stable storage.
func EndRestore(dir string) error {
	if err := SyncDir(dir); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, unfinishedKey)); err != nil {
		return err
	}
	return SyncDir(dir)
}

// Lasting reports whether what has this name in the directory is state that outlives a run, other than the database.
func Lasting(name string) bool {
	switch strings.TrimSuffix(name, ".new") {
	case ReadyFile, KeptFile, lockFile, StageName, FilesName, unfinishedKey:
		return false
	}
	return !strings.HasPrefix(name, AsidePrefix)
}

// Used reports whether anything is in the directory that a restore would have to move aside.
func Used(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if Movable(e.Name()) {
			return true, nil
		}
	}
	return false, nil
}

// Movable reports whether a restore moves what has this name aside: all but the lock, what restores made, and what a file system keeps in its root for itself.
func Movable(name string) bool {
	switch name {
	case lockFile, StageName, unfinishedKey, "lost+found":
		return false
	}
	return !strings.HasPrefix(name, AsidePrefix)
}

// SyncDir has the names in a directory written to stable storage.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
