package identity

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestKeyFileStaysTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.key")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load() without a file = %v, want fs.ErrNotExist", err)
	}
	k, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
	for _, load := range []func(string) (Key, error){LoadOrCreate, Load} {
		again, err := load(path)
		if err != nil || again.Public() != k.Public() || !k.Public().Verify("p", nil, again.Sign("p", nil)) {
			t.Errorf("read again: %v, %v, want the same key", again.Public(), err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("directory has %d entries, %v, want the key alone", len(entries), err)
	}
}

func TestKeyFileOfSeveralThatStartAtOnceIsOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.key")
	keys := make([]Key, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = LoadOrCreate(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k.Public() != keys[0].Public() {
			t.Errorf("keys %s and %s of one file", k.Public(), keys[0].Public())
		}
	}
}

// A file that cannot be used is never replaced: the error says what to do, and the file stays as it was.
func TestKeyFileRefusals(t *testing.T) {
	good, other := string(encode(Generate())), string(encode(Generate()))
	line := func(text string, i int) string { return strings.Split(text, "\n")[i] }
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"empty", "", 0o600, "is damaged: restore it from a backup"},
		{"cut", good[:60], 0o600, "is damaged"},
		{"of another kind", strings.Replace(good, "key 1", "key 2", 1), 0o600, "is damaged"},
		{"public key of another", line(good, 0) + "\n" + line(good, 1) + "\n" + line(other, 2) + "\n", 0o600, "is damaged"},
		{"a line too many", good + "x\n", 0o600, "is damaged"},
		{"huge", good + strings.Repeat(" ", maxFileBytes), 0o600, "is damaged"},
		{"readable by the group", good, 0o640, "is open to others (mode 0640): make it its owner's alone with chmod 600"},
		{"writable by others", good, 0o602, "mode 0602"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "identity.key")
			if err := errors.Join(os.WriteFile(path, []byte(tt.text), 0o600), os.Chmod(path, tt.mode)); err != nil {
				t.Fatal(err)
			}
			k, err := LoadOrCreate(path)
			if !k.IsZero() || err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("LoadOrCreate() = %v, %v, want an error with the path and %q", k.Public(), err, tt.want)
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != tt.text {
				t.Errorf("the file holds %q, %v now", text, err)
			}
		})
	}
	if _, err := LoadOrCreate(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("LoadOrCreate() of a directory = %v", err)
	}
}

// One bit that flips anywhere in the file is noticed, or changes nothing.
func TestDamageIsNoticed(t *testing.T) {
	k := Generate()
	text := encode(k)
	for i := range len(text) * 8 {
		damaged := bytes.Clone(text)
		damaged[i/8] ^= 1 << (i % 8)
		if got, err := decode(damaged); err == nil && got.Public() != k.Public() {
			t.Fatalf("bit %d flipped gives another key", i)
		}
	}
}

func TestEditorsDoNoHarm(t *testing.T) {
	k := Generate()
	text := append(bytes.ReplaceAll(encode(k), []byte("\n"), []byte("\r\n")), "\r\n"...)
	if got, err := decode(text); err != nil || got.Public() != k.Public() {
		t.Errorf("decode(%q) = %v, %v", text, got.Public(), err)
	}
}

// No file makes decode fail otherwise than by its error, and what it takes is written as one text.
func FuzzDecode(f *testing.F) {
	f.Add(encode(Generate()))
	f.Add([]byte(fileTitle + "\n\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := decode(text)
		if err != nil {
			if !k.IsZero() {
				t.Error("a key beside an error")
			}
			return
		}
		again, err := decode(encode(k))
		if err != nil || again.Public() != k.Public() {
			t.Errorf("decode(encode()) = %v, %v", again.Public(), err)
		}
	})
}
