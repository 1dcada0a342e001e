package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"signalbox/internal/datadir"
	"signalbox/internal/store"
)

// Target is where a backup is restored to.
type Target struct {
	DataDir string // made if it is not there; no server may run with it
	Force   bool   // whether what is there is moved aside
}

// Restored is what a restore did.
type Restored struct {
	Header
	Database string // where it is now
	Aside    string // folder with what was there before; empty: nothing was
	Files    string // folder with the files from outside the data directory, by their whole paths; empty: there were none
}

// Restore unpacks the archive that r gives into a data directory. Nothing that is there changes before the whole archive is unpacked, verified and on stable storage, and no server starts there
// from the first change to the last: where the process ends in between, the same call again does it all. With an error that comes before, the directory is as it was.
func Restore(ctx context.Context, r io.Reader, t Target) (done Restored, err error) {
	a, h, err := open(r)
	if err != nil {
		return done, err
	}
	if err := known(h); err != nil {
		return done, err
	}
	lock, err := datadir.Acquire(t.DataDir)
	if errors.Is(err, datadir.ErrInUse) {
		return done, fmt.Errorf("a server runs with data_dir %s: stop it first; a restore under a running server would be lost, and harm it", t.DataDir)
	}
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	used, err := t.used()
	if err != nil {
		return done, err
	}
	stage := filepath.Join(t.DataDir, datadir.StageName)
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()
	if err := unpack(ctx, a, h, stage); err != nil {
		return done, t.explain(h, err)
	}
	done = Restored{Header: h, Database: filepath.Join(t.DataDir, store.FileName)}
	err = t.explain(h, t.replace(stage, used, &done))
	return done, err
}

// known refuses what this program would not understand.
func known(h Header) error {
	newest, err := store.KnownSchema()
	if err != nil {
		return err
	}
	if h.Schema > newest {
		return fmt.Errorf("%w (schema %d by version %s, this program knows up to %d)", ErrNewer, h.Schema, h.Program, newest)
	}
	return nil
}

// used reports whether something is in the directory that has to go, and refuses where it may not.
func (t Target) used() (bool, error) {
	used, err := datadir.Used(t.DataDir)
	if err != nil {
		return false, fmt.Errorf("look into data_dir: %w", err)
	}
	if err := datadir.CheckWhole(t.DataDir); err != nil && !t.Force {
		return false, err
	}
	if used && !t.Force {
		return false, fmt.Errorf("data_dir %s %w", t.DataDir, ErrNotEmpty)
	}
	return used, nil
}

// explain says what to do about errors of the directory's file system.
func (t Target) explain(h Header, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("no space is left for the backup: it needs %d MiB in %s beside what is there; free space, or restore into another data_dir: %w", h.Bytes>>20+1, t.DataDir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run the command as the user that runs the server, or as root", err)
	}
	return err
}

// unpack makes a new data directory in stage and verifies it.
func unpack(ctx context.Context, a *reader, h Header, stage string) error {
	if err := os.RemoveAll(stage); err != nil { // of a restore that was cut off
		return err
	}
	if err := os.Mkdir(stage, 0o700); err != nil {
		return err
	}
	var space unix.Statfs_t
	if err := unix.Statfs(stage, &space); err == nil && space.Bavail*uint64(space.Bsize) < uint64(max(0, h.Bytes)) {
		return syscall.ENOSPC
	}
	err := a.each(ctx, func(name string) (io.WriteCloser, error) {
		return create(filepath.Join(stage, filepath.FromSlash(name)))
	})
	if err != nil {
		return err
	}
	database := filepath.Join(stage, databaseName)
	if err := store.Check(ctx, database); err != nil {
		return err
	}
	return store.Restored(ctx, database)
}

// syncedFile is a file that is on stable storage when Close returns.
type syncedFile struct{ *os.File }

// Close writes to stable storage and closes.
func (f syncedFile) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

func create(path string) (io.WriteCloser, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return syncedFile{f}, err
}

// replace puts what is in stage in the place of what is in the directory.
func (t Target) replace(stage string, used bool, done *Restored) error {
	if err := t.own(stage); err != nil {
		return err
	}
	if err := syncTree(stage); err != nil {
		return err
	}
	if err := datadir.BeginRestore(t.DataDir); err != nil {
		return err
	}
	if used {
		aside, err := t.setAside()
		if err != nil {
			return err
		}
		done.Aside = aside
	}
	if err := t.place(stage, done); err != nil {
		return err
	}
	return datadir.EndRestore(t.DataDir)
}

// setAside moves what is in the directory into a new folder in it.
func (t Target) setAside() (string, error) {
	aside := filepath.Join(t.DataDir, datadir.AsidePrefix+time.Now().UTC().Format("20060102T150405.000Z"))
	if err := errors.Join(os.Mkdir(aside, 0o700), datadir.Give(t.DataDir, aside)); err != nil {
		return "", err
	}
	return aside, moveAll(t.DataDir, aside, datadir.Movable)
}

// place moves what was unpacked to where a server looks for it. The database comes last.
func (t Target) place(stage string, done *Restored) error {
	everything := func(string) bool { return true }
	if err := moveAll(filepath.Join(stage, filepath.Clean(dataPrefix)), t.DataDir, everything); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	files := filepath.Join(stage, filepath.Clean(filesPrefix))
	if _, err := os.Stat(files); err == nil {
		done.Files = filepath.Join(t.DataDir, datadir.FilesName)
		if err := os.Rename(files, done.Files); err != nil {
			return err
		}
	}
	return os.Rename(filepath.Join(stage, databaseName), done.Database)
}

// moveAll moves what is in one folder, and wanted, to another on the same file system.
func moveAll(from, to string, wanted func(name string) bool) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !wanted(e.Name()) {
			continue
		}
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// own gives what root unpacked to the server's user.
func (t Target) own(stage string) error {
	return filepath.WalkDir(stage, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return datadir.Give(t.DataDir, path)
	})
}

// syncTree has the names in all folders written to stable storage; the files in them are.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return datadir.SyncDir(path)
	})
}
