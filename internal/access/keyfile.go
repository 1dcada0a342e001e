package access

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"signalbox/internal/private"
)

// LoadOrCreateKey returns the secret key of this many bytes in the file at path. A file that is not there is made with random bytes: readable by its owner
// alone, whole or not at all, and on the disk before the key is used; of several processes that make it at a time one wins, and all return its key.
//
// A file that others can read or change, or whose length is wrong, is an error that says what to do.
func LoadOrCreateKey(path string, bytes int) ([]byte, error) {
	key, err := loadKey(path, bytes)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(path, bytes); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create key file %s: %w", path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("sync directory of key file %s: %w", path, err)
	}
	return loadKey(path, bytes)
}

func loadKey(path string, bytes int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at key file: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("key file %s is not a file", path)
	case info.Size() != int64(bytes):
		return nil, fmt.Errorf("key file %s has %d bytes instead of %d: restore it from a backup, or remove it to get a new key", path, info.Size(), bytes)
	}
	if err := private.Check(info); err != nil {
		return nil, fmt.Errorf("key file %s %w", path, err)
	}
	key := make([]byte, bytes)
	if _, err := io.ReadFull(f, key); err != nil {
		return nil, fmt.Errorf("read key file %s: %w", path, err)
	}
	return key, nil
}

// createKey writes a new key beside path and links it there, which fails where a file is: a reader sees no key or a whole one.
func createKey(path string, bytes int) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	key := make([]byte, bytes)
	rand.Read(key) // never fails, see crypto/rand
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
