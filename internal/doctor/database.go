package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"signalbox/internal/store"
)

// leastFree is how much space should be left for the database, in bytes.
const leastFree = 1 << 30

// nothingFree is how much of it is as good as nothing: what the database and its log grow by before anybody looks.
const nothingFree = 32 << 20

// asServer is what to do where rights are missing: they are those of the server's user, not of whoever asks.
const asServer = "run doctor as the user that runs signalbox; if it says the same then, give that user the right to read and write there"

// database is the step store: is the database there, of this version, and can it be written?
func (x *examination) database(ctx context.Context) {
	path, err := store.Locate(x.Config.Store.URL, x.Config.DataDir)
	if err != nil {
		x.warn(NotChecked, "database", "not checked: the configuration names no place for it", "correct store.url or data_dir, and ask again")
		return
	}
	if !x.directory(filepath.Dir(path)) {
		return
	}
	x.space(filepath.Dir(path))
	x.disk(filepath.Dir(path))
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		x.noDatabase(path)
		return
	}
	x.log(path)
	x.schema(ctx, path)
}

// directory reports whether the database's directory is there.
func (x *examination) directory(dir string) bool {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.wrong(NoDirectory, dir, "the directory of the database does not exist",
			"make it for the user that runs signalbox: install -d -m 700 -o USER "+dir+"; or set data_dir to where it is")
	case errors.Is(err, fs.ErrPermission):
		x.wrong(NoPermission, dir, "the directory of the database cannot be looked at: permission denied", asServer)
	case err != nil:
		x.wrong(NoDirectory, dir, "the directory of the database cannot be looked at: "+err.Error(), "see that its file system is mounted and works")
	case !info.IsDir():
		x.wrong(NoDirectory, dir, "is a file, where the directory of the database must be", "move it away, or set data_dir to another directory")
	default:
		return true
	}
	return false
}

// space looks at the file system of the database.
func (x *examination) space(dir string) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		x.warn(NotChecked, dir+", space", "its free space is not known: "+err.Error(), "")
		return
	}
	x.judgeSpace(dir, s.Bavail*uint64(s.Bsize))
}

func (x *examination) judgeSpace(dir string, free uint64) {
	detail := fmt.Sprintf("%d MiB are free", free>>20)
	switch {
	case free < nothingFree:
		x.wrong(DiskFull, dir+", space", detail+": pushes are refused with 507, or will be soon", "free space on that file system, or move data_dir to a larger one; the server goes on by itself then")
		return
	case free < leastFree:
		x.warn(DiskLow, dir+", space", detail+"; without space pushes are refused with 507", "free space on that file system, or move data_dir to a larger one")
		return
	}
	x.well(dir+", space", detail, "")
}

func (x *examination) noDatabase(path string) {
	if x.Running == nil {
		x.warn(NoDatabase, path, "there is no database yet", "nothing, if the server was never started: it makes the database; otherwise restore the backup, or correct data_dir")
		return
	}
	x.wrong(DatabaseGone, path, "a server runs, and its database is gone", "stop the server and restore the backup; what it accepts now is lost when it stops")
}

// schema compares the database with this program, and tries whether it can be written.
func (x *examination) schema(ctx context.Context, path string) {
	ctx, cancel := context.WithTimeout(ctx, 2*x.patience) // the second look may wait for another process as long as the driver does
	defer cancel()
	s, err := store.Inspect(ctx, path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		x.wrong(NoPermission, path, "permission denied", asServer)
		return
	case err != nil:
		x.wrong(DatabaseDamaged, path, err.Error(), "restore the backup if the file is damaged; otherwise see what the message asks for")
		return
	case s.Version > s.Known:
		x.wrong(SchemaNewer, path, fmt.Sprintf("has schema version %d, and this program knows up to %d", s.Version, s.Known),
			"use the newer signalbox that wrote it, or restore a backup from before the upgrade")
		return
	case s.Missing > 0:
		x.warn(SchemaOlder, path, fmt.Sprintf("has schema version %d; this program has %d changes up to version %d that it lacks", s.Version, s.Missing, s.Known),
			"back it up; the server of this version brings it up to date when it starts")
	default:
		x.well(path, fmt.Sprintf("schema version %d, that of this program", s.Version), "")
	}
	if err := store.TryWrite(ctx, path); err != nil {
		x.wrong(NotWritable, path+", write", err.Error(), asServer)
		return
	}
	x.well(path+", write", "can be written", "")
}
