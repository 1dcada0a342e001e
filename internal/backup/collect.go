package backup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"signalbox/internal/datadir"
	"signalbox/internal/store"
)

// item is a file that goes into the archive.
type item struct {
	name string // of the member
	path string
	size int64
}

// dataItems returns what lasts of a data directory: every file but the database's and what belongs to one run, so that a part that comes to keep a file there has it in the backup.
func dataItems(dir, database string) (items []item, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir { // uploaded files end while we look
			return nil
		}
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if filepath.Dir(rel) == "." && !datadir.Lasting(rel) {
			return skip(d)
		}
		if !d.Type().IsRegular() || ofDatabase(path, database) || ofDatabase(path, filepath.Join(dir, store.FileName)) {
			return nil
		}
		return add(&items, dataPrefix+filepath.ToSlash(rel), path)
	})
	return items, err
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return filepath.SkipDir
	}
	return nil
}

// ofDatabase reports whether path is the database, or one of the files that SQLite keeps beside it.
func ofDatabase(path, database string) bool {
	rest, ok := strings.CutPrefix(path, database)
	return ok && (rest == "" || rest == "-wal" || rest == "-shm" || rest == "-journal")
}

// fileItems returns files from elsewhere, and the paths of those that are not there.
func fileItems(paths []string) (items []item, missing []string, err error) {
	seen := map[string]bool{}
	for _, path := range paths {
		if seen[path] {
			continue
		}
		seen[path] = true
		before := len(items)
		if err := add(&items, filesPrefix+strings.TrimPrefix(filepath.ToSlash(path), "/"), path); err != nil {
			return nil, nil, err
		}
		if len(items) == before {
			missing = append(missing, path)
		}
	}
	return items, missing, nil
}

// add adds a file that is there.
func add(items *[]item, name, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	*items = append(*items, item{name, path, info.Size()})
	return nil
}
