package transfer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/internal/channel"
)

// begun makes a part of three blocks and a bit, and returns its content.
func begun(t *testing.T, dir string) []byte {
	t.Helper()
	data := content(3*channel.BlockSize+7, 9)
	p := openPart(t, dir, anything)
	if err := p.Begin(Origin{Size: int64(len(data)), Version: "1"}); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(data); at += channel.BlockSize {
		b := data[at:min(at+channel.BlockSize, len(data))]
		if err := p.WriteBlock(int64(at), b, sha256.Sum256(b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(true); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPartGoesOn: after any kind of damage a part begins at the last block that is right.
func TestPartGoesOn(t *testing.T) {
	const part, sums = ".file.signalbox-part", ".file.signalbox-part.sums"
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   int64
	}{
		{"none", func(*testing.T, string) {}, 3*channel.BlockSize + 7},
		{"the end is missing", func(t *testing.T, dir string) { truncate(t, dir, part, 3*channel.BlockSize+6) }, 3 * channel.BlockSize},
		{"half is missing", func(t *testing.T, dir string) { truncate(t, dir, part, 3*channel.BlockSize/2) }, channel.BlockSize},
		{"a byte is wrong", func(t *testing.T, dir string) { flip(t, dir, part, channel.BlockSize) }, channel.BlockSize},
		{"zeros as after a power cut", func(t *testing.T, dir string) {
			truncate(t, dir, part, 2*channel.BlockSize)
			truncate(t, dir, part, 3*channel.BlockSize+7)
		}, 2 * channel.BlockSize},
		{"half a hash", func(t *testing.T, dir string) { truncate(t, dir, sums, -16) }, 3 * channel.BlockSize},
		{"no hashes", func(t *testing.T, dir string) { truncate(t, dir, sums, 0) }, 0},
		{"another origin", func(t *testing.T, dir string) { flip(t, dir, sums, 9) }, 0},
	} {
		dir := t.TempDir()
		data := begun(t, dir)
		tc.damage(t, dir)
		p := openPart(t, dir, func(o Origin) bool { return o == Origin{Size: int64(len(data)), Version: "1"} })
		if p.Offset() != tc.want {
			t.Errorf("%s: goes on at %d, want %d", tc.name, p.Offset(), tc.want)
		}
		if want := sha256.Sum256(data[:tc.want]); !bytes.Equal(p.whole.Sum(nil), want[:]) {
			t.Errorf("%s: the hash is another", tc.name)
		}
		if err := p.Close(false); err != nil {
			t.Error(err)
		}
		if names, _ := os.ReadDir(dir); len(names) != 0 {
			t.Errorf("%s: %v is left", tc.name, names)
		}
	}
}

// truncate cuts a file; a negative size is counted from its end.
func truncate(t *testing.T, dir, name string, size int64) {
	t.Helper()
	path := filepath.Join(dir, name)
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if size < 0 {
		size += fi.Size()
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, dir, name string, at int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// TestPartReplaces: a file is replaced only if that is wanted, and leaves its mode behind.
func TestPartReplaces(t *testing.T) {
	dir := t.TempDir()
	data := begun(t, dir)
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	p := openPart(t, dir, anything)
	wantCode(t, p.Commit(), channel.CodeExists)
	p.Overwrite, p.Modified = true, time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o640 || !fi.ModTime().Equal(p.Modified) || fi.Size() != int64(len(data)) {
		t.Errorf("%v, %v", fi, err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("%v is left", names)
	}
}

// TestPartModes: a new file has the mode that the system gives new files, and none before it is whole.
func TestPartModes(t *testing.T) {
	dir := t.TempDir()
	begun(t, dir)
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	mode := func(name string) os.FileMode {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return fi.Mode().Perm()
	}
	if got := mode(".file.signalbox-part"); got != 0o600 {
		t.Errorf("the part has mode %o", got)
	}
	if err := openPart(t, dir, anything).Commit(); err != nil {
		t.Fatal(err)
	}
	if got, want := mode("file"), mode("other"); got != want {
		t.Errorf("the file has mode %o, want %o", got, want)
	}
}

// TestPartTraps: what somebody else has put in the place of a part is not written to.
func TestPartTraps(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(outside, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".file.signalbox-part", ".file.signalbox-part.sums"} {
		dir := t.TempDir()
		if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		data := begun(t, dir)
		if got, err := os.ReadFile(outside); err != nil || string(got) != "precious" {
			t.Fatalf("%s: the victim is %d bytes, %v", name, len(got), err)
		}
		if p := openPart(t, dir, anything); p.Offset() != int64(len(data)) {
			t.Errorf("%s: %d bytes", name, p.Offset())
		} else if err := p.Close(false); err != nil {
			t.Error(err)
		}
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".file.signalbox-part", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := OpenPart(t.Context(), root, "file", anything); err == nil {
		t.Errorf("a folder was taken for a part: %v", p.Close(false))
	}
}

func TestLongNames(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("n", 255)
	p, err := OpenPart(t.Context(), root, name, anything)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Begin(Origin{}), p.Commit()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
		t.Error(err)
	}
}
