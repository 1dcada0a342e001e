package access

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestKeyFileStaysTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.key")
	key, err := LoadOrCreateKey(path, 32)
	if err != nil || len(key) != 32 || bytes.Equal(key, make([]byte, 32)) {
		t.Fatalf("LoadOrCreateKey() = %x, %v, want 32 random bytes", key, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
	again, err := LoadOrCreateKey(path, 32)
	if err != nil || !bytes.Equal(again, key) {
		t.Errorf("second LoadOrCreateKey() = %x, %v, want the same key", again, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("directory has %d entries, %v, want the key alone", len(entries), err)
	}
}

func TestKeyFileRefusals(t *testing.T) {
	tests := []struct {
		name string
		make func(path string) error
		want string
	}{
		{"readable by the group", func(p string) error { return writeMode(p, 32, 0o640) }, "is open to others (mode 0640): make it its owner's alone with chmod 600"},
		{"readable by all", func(p string) error { return writeMode(p, 32, 0o644) }, "mode 0644"},
		{"writable by others", func(p string) error { return writeMode(p, 32, 0o602) }, "mode 0602"},
		{"short", func(p string) error { return writeMode(p, 31, 0o600) }, "has 31 bytes instead of 32: restore it from a backup, or remove it"},
		{"long", func(p string) error { return writeMode(p, 33, 0o600) }, "has 33 bytes instead of 32"},
		{"empty", func(p string) error { return writeMode(p, 0, 0o600) }, "has 0 bytes"},
		{"directory", func(p string) error { return os.Mkdir(p, 0o700) }, "is not a file"},
		{"directory is missing", func(p string) error { return os.Remove(filepath.Dir(p)) }, "create key file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data", "auth.key")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := tt.make(path); err != nil {
				t.Fatal(err)
			}
			key, err := LoadOrCreateKey(path, 32)
			if key != nil || err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("LoadOrCreateKey() = %x, %v, want an error with the path and %q", key, err, tt.want)
			}
		})
	}
}

func TestKeyFileReadOnlyForItsOwnerIsFine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.key")
	if err := writeMode(path, 32, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateKey(path, 32); err != nil {
		t.Error(err)
	}
}

func TestKeyFileOfSeveralThatStartAtOnceIsOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.key")
	keys := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = LoadOrCreateKey(path, 32); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, k := range keys {
		if !bytes.Equal(k, keys[0]) {
			t.Errorf("key %d = %x, key 0 = %x", i, k, keys[0])
		}
	}
}

func writeMode(path string, bytes int, mode os.FileMode) error {
	if err := os.WriteFile(path, make([]byte, bytes), 0o600); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
