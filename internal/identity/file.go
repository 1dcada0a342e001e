package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"signalbox/internal/private"
)

// fileTitle is the first line of a key file. The second is the seed in base64url, the third the public key, by which a file that was damaged is known from one that holds
// another key.
const fileTitle = "signalbox identity key 1"

// maxFileBytes bounds what is read: three lines, and room for the line ends of an editor.
const maxFileBytes = 256

// errBroken says what to do about a file that is not whole. A key is never made in its place: who trusts the old one would take us for somebody else.
var errBroken = errors.New("is damaged: restore it from a backup; removing it makes a new identity, which no endpoint that enrolled before accepts")

// LoadOrCreate returns the key in the file at path. A file that is not there is made: readable by its owner alone, whole or not at all, and on the disk before the key is used;
// of several processes that make it at a time one wins, and all return its key. One that is damaged or open to others is an error that says what to do, and stays as it is.
func LoadOrCreate(path string) (Key, error) {
	k, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if err := create(path, Generate()); err != nil && !errors.Is(err, fs.ErrExist) {
		return Key{}, fmt.Errorf("create identity key %s: %w", path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return Key{}, fmt.Errorf("sync directory of identity key %s: %w", path, err)
	}
	return Load(path)
}

// Load returns the key in the file at path. The error says what to do; it wraps fs.ErrNotExist where there is none.
func Load(path string) (Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return Key{}, fmt.Errorf("identity key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return Key{}, fmt.Errorf("identity key: %w", err)
	case !info.Mode().IsRegular():
		return Key{}, fmt.Errorf("identity key %s is not a file", path)
	}
	if err := private.Check(info); err != nil {
		return Key{}, fmt.Errorf("identity key %s %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return Key{}, fmt.Errorf("read identity key: %w", err)
	}
	k, err := decode(text)
	if err != nil {
		return Key{}, fmt.Errorf("identity key %s %w", path, err)
	}
	return k, nil
}

// create writes the key beside path and links it there, which fails where a file is: a reader sees no key or a whole one.
func create(path string, k Key) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(encode(k))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

func encode(k Key) []byte {
	return fmt.Appendf(nil, "%s\n%s\n%s\n", fileTitle, base64.RawURLEncoding.EncodeToString(k.private.Seed()), k.Public())
}

// decode reads what encode writes; \r before a line end and white space behind the text, which editors leave, do no harm.
func decode(text []byte) (Key, error) {
	if len(text) > maxFileBytes {
		return Key{}, errBroken
	}
	lines := bytes.Split(bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))), []byte("\n"))
	if len(lines) != 3 || string(lines[0]) != fileTitle {
		return Key{}, errBroken
	}
	seed, err := base64.RawURLEncoding.Strict().DecodeString(string(lines[1]))
	if err != nil || len(seed) != ed25519.SeedSize {
		return Key{}, errBroken
	}
	k := fromSeed(seed)
	if k.Public().String() != string(lines[2]) {
		return Key{}, errBroken
	}
	return k, nil
}
