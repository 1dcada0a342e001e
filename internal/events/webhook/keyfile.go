package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"signalbox/internal/private"
)

const maxKeyFile = 4096

// LoadKeys reads the keys in a file that is the server's alone, one on each line, the newest first. The error says what to do.
func LoadKeys(path string) ([]Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; write whsec_ and 24 to 64 random bytes in base64 into a file that the server's user may read", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Size() > maxKeyFile:
		return nil, fmt.Errorf("%s has %d bytes, the keys of receivers have at most %d", path, info.Size(), maxKeyFile)
	}
	if err := private.Check(info); err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return parseKeys(path, text)
}

func parseKeys(path string, text []byte) (keys []Key, err error) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		k := Key{Text: string(bytes.TrimSpace(line))}
		if k.Text == "" {
			continue
		}
		if err := k.check(); err != nil {
			return nil, fmt.Errorf("%s: line %d %w: write whsec_ and 24 to 64 random bytes in base64; openssl rand -base64 32 makes them", path, n, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 || len(keys) > MaxKeys {
		return nil, fmt.Errorf("%s has %d keys, 1 to %d are needed, one on each line", path, len(keys), MaxKeys)
	}
	return keys, nil
}

// LoadOrCreateKeys is LoadKeys, and makes a file with one new secret where there is none.
func LoadOrCreateKeys(path string, now time.Time) ([]Key, error) {
	keys, err := LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if err := createKeys(path, NewKey(HMAC, now)); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return LoadKeys(path)
}

// createKeys writes a key beside path and links it there, which fails where a file is: a reader sees no key or a whole one.
func createKeys(path string, k Key) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(k.Text + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
