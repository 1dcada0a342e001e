package store

import (
	"fmt"
	"path/filepath"
	"strings"
)

// FileName is the name of the database in data_dir.
const FileName = "signalbox.db"

// Locate returns the database file that store.url names: "sqlite:///path/to/file", or the default file in dataDir if url is empty.
func Locate(url, dataDir string) (string, error) {
	scheme, path, found := strings.Cut(url, "://")
	switch {
	case url == "" && dataDir == "":
		return "", fmt.Errorf("data_dir is empty and so is store.url: there is no place for the database")
	case url == "":
		return filepath.Join(dataDir, FileName), nil
	case scheme == "postgres" || scheme == "postgresql":
		return "", fmt.Errorf("store.url names PostgreSQL, which this version does not support yet: leave it empty to use SQLite in data_dir")
	case !found || scheme != "sqlite":
		return "", fmt.Errorf("store.url %q is not understood: use sqlite:///path/to/file, or leave it empty to use %s in data_dir", url, FileName)
	case !filepath.IsAbs(path):
		return "", fmt.Errorf("store.url %q has no absolute path: use three slashes, as in sqlite:///var/lib/signalbox/%s", url, FileName)
	}
	return filepath.Clean(path), nil
}
