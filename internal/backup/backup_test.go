package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"signalbox/internal/datadir"
	"signalbox/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// example is a data directory with a database, a key and what belongs to one run, and a file from elsewhere.
func example(t *testing.T) Source {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	s := Source{Program: "v1", Domain: "lab.example", DataDir: data, Database: filepath.Join(data, store.FileName), Work: t.TempDir(), Files: []string{filepath.Join(dir, "signalbox.yaml"), "/none"}}
	st, err := store.Open(t.Context(), s.Database, store.Default(), zaptest.NewLogger(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"data/identity.key": "a key", "data/upload/1": "a file", "data/" + datadir.ReadyFile: "{}", "data/" + datadir.KeptFile: "kept", "data/signalbox.lock": "1",
		"data/" + datadir.AsidePrefix + "x/identity.key": "old", "signalbox.yaml": "domain: lab.example",
	} {
		put(t, filepath.Join(dir, name), text)
	}
	if err := syscall.Mkfifo(filepath.Join(data, "turn.sock"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// archive is the backup of an example.
func archive(t *testing.T, s Source) []byte {
	t.Helper()
	var out bytes.Buffer
	report, err := Write(t.Context(), &out, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Missing) != 1 || report.Missing[0] != "/none" {
		t.Errorf("missing %v, want /none", report.Missing)
	}
	if left, err := os.ReadDir(s.Work); err != nil || len(left) != 0 {
		t.Errorf("left behind in the folder for the copy: %v, %v", left, err)
	}
	return out.Bytes()
}

// tree returns the files of a directory with what is in them; of the database that it is there.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text := []byte("a database")
		if !strings.HasPrefix(d.Name(), store.FileName) {
			text, err = os.ReadFile(path)
		}
		found[strings.TrimPrefix(path, dir+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRestoreGivesBack(t *testing.T) {
	s := example(t)
	packed := archive(t, s)
	target := Target{DataDir: filepath.Join(t.TempDir(), "new", "data")}
	done, err := Restore(t.Context(), bytes.NewReader(packed), target)
	if err != nil {
		t.Fatal(err)
	}
	if done.Aside != "" || done.Domain != "lab.example" || done.Program != "v1" || done.Schema == 0 || done.Created.IsZero() {
		t.Errorf("Restore() = %+v", done)
	}
	got := tree(t, target.DataDir)
	want := map[string]string{
		"identity.key": "a key", "upload/1": "a file", "signalbox.lock": "", store.FileName: "a database",
		datadir.FilesName + s.Files[0]: "domain: lab.example",
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s = %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("restored %v", got)
	}
	for name := range got {
		if info, err := os.Stat(filepath.Join(target.DataDir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want that only its owner reads it", name, info.Mode(), err)
		}
	}
	st, err := store.Open(t.Context(), done.Database, store.Default(), zaptest.NewLogger(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// TestForceKeepsWhatWasThere: it is refused without, and lies in a folder of its own with it, of which the next backup takes nothing.
func TestForceKeepsWhatWasThere(t *testing.T) {
	s := example(t)
	packed := archive(t, s)
	target := Target{DataDir: s.DataDir}
	before := tree(t, s.DataDir)
	if _, err := Restore(t.Context(), bytes.NewReader(packed), target); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("without --force: %v, want ErrNotEmpty", err)
	}
	if after := tree(t, s.DataDir); len(after) != len(before) {
		t.Errorf("a refused restore left %v", after)
	}
	put(t, filepath.Join(s.DataDir, "identity.key"), "another key")
	target.Force = true
	done, err := Restore(t.Context(), bytes.NewReader(packed), target)
	if err != nil {
		t.Fatal(err)
	}
	if got := tree(t, done.Aside); got["identity.key"] != "another key" || got[store.FileName] == "" || got[datadir.KeptFile] != "kept" {
		t.Errorf("set aside: %v", got)
	}
	if got := tree(t, s.DataDir); got["identity.key"] != "a key" {
		t.Errorf("restored: %v", got)
	}
	if again := archive(t, s); len(again) > 2*len(packed) {
		t.Errorf("the next backup has %d bytes after %d: it takes what was set aside", len(again), len(packed))
	}
}

// TestNoArchiveThatIsNotWholeIsRestored: cut at every place and with each byte changed it is refused, and the directory is as it was.
func TestNoArchiveThatIsNotWholeIsRestored(t *testing.T) {
	s := example(t)
	whole := archive(t, s)
	target := Target{DataDir: filepath.Join(t.TempDir(), "data")}
	refused := func(what string, packed []byte, want ...error) {
		t.Helper()
		_, err := Restore(t.Context(), bytes.NewReader(packed), target)
		ok := false
		for _, w := range want {
			ok = ok || errors.Is(err, w)
		}
		if !ok {
			t.Errorf("%s: %v, want one of %v", what, err, want)
		}
		if left, err := os.ReadDir(target.DataDir); err == nil && len(left) > 1 || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s left %v, %v", what, left, err)
		}
	}
	step := max(1, len(whole)/40)
	for n := 0; n < len(whole); n += step {
		refused("cut", whole[:n], ErrCutOff, ErrNoArchive)
	}
	for n := len(whole) - 8; n < len(whole); n++ {
		refused("cut at the end", whole[:n], ErrCutOff)
	}
	for at := 0; at < len(whole); at += step {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x10
		if same(whole, flipped) { // the time in the header of gzip, or a bit that fills the last byte of a block: read by nobody
			continue
		}
		refused("flipped", flipped, ErrDamaged, ErrCutOff, ErrNoArchive)
	}
	refused("something else", []byte("PK\x03\x04 this is no backup"), ErrNoArchive)
	refused("nothing", nil, ErrNoArchive)
	refused("another's archive", repack(t, whole, func(h *tar.Header, _ []byte) bool { return h.Name != headerName }), ErrNoArchive)
	refused("without its manifest", repack(t, whole, func(h *tar.Header, _ []byte) bool { return h.Name != manifestName }), ErrCutOff)
	refused("without a member", repack(t, whole, func(h *tar.Header, _ []byte) bool { return h.Name != "data/identity.key" }), ErrDamaged)
	refused("with another content", repack(t, whole, func(h *tar.Header, text []byte) bool {
		if h.Name == "data/identity.key" {
			text[0] ^= 1
		}
		return true
	}), ErrDamaged)
	for _, name := range []string{"data/../../x", "/etc/passwd", "data/./x", "other", "data//x"} {
		refused(name, repack(t, whole, func(h *tar.Header, _ []byte) bool {
			if h.Name == "data/identity.key" {
				h.Name = name
			}
			return true
		}), ErrDamaged)
	}
	refused("with a link", repack(t, whole, func(h *tar.Header, _ []byte) bool {
		if h.Name == "data/identity.key" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, "/etc"
		}
		return true
	}), ErrDamaged)
	refused("of a newer program", repack(t, whole, func(h *tar.Header, text []byte) bool {
		if h.Name == headerName {
			copy(text, bytes.Replace(text, []byte(`"format": 1`), []byte(`"format": 9`), 1))
		}
		return true
	}), ErrNewer)
}

// same reports whether two archives unpack to the same.
func same(a, b []byte) bool {
	unpack := func(packed []byte) ([]byte, error) {
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	first, err := unpack(a)
	second, errSecond := unpack(b)
	return err == nil && errSecond == nil && bytes.Equal(first, second)
}

// repack writes an archive anew, with what change makes of its members; those for which it returns false are left out.
func repack(t *testing.T, packed []byte, change func(h *tar.Header, text []byte) bool) []byte {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	to := tar.NewWriter(w)
	for from := tar.NewReader(unpacked); ; {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(from)
		if err != nil {
			t.Fatal(err)
		}
		if !change(h, text) {
			continue
		}
		if h.Typeflag == tar.TypeSymlink {
			h.Size, text = 0, nil
		}
		if err := to.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(to.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRestoreRefusesANewerSchema(t *testing.T) {
	newest, err := store.KnownSchema()
	if err != nil || newest == 0 {
		t.Fatal(newest, err)
	}
	if err := known(Header{Schema: newest}); err != nil {
		t.Error(err)
	}
	if err := known(Header{Schema: newest + 1, Program: "v9"}); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "v9") {
		t.Errorf("known() = %v, want ErrNewer and the version", err)
	}
}

func TestRestoreRefusesUnderAServer(t *testing.T) {
	s := example(t)
	packed := archive(t, s)
	lock, err := datadir.Acquire(s.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Release() })
	if _, err := Restore(t.Context(), bytes.NewReader(packed), Target{DataDir: s.DataDir, Force: true}); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("Restore() = %v, want that the server be stopped", err)
	}
}

// TestRestoreGoesOnAfterAnEnd: the process ends in the middle of the moves; a server refuses the directory, and the same call again makes it whole.
func TestRestoreGoesOnAfterAnEnd(t *testing.T) {
	s := example(t)
	packed := archive(t, s)
	if err := datadir.BeginRestore(s.DataDir); err != nil {
		t.Fatal(err)
	}
	aside := filepath.Join(s.DataDir, datadir.AsidePrefix+"1")
	if err := errors.Join(os.Mkdir(aside, 0o700), os.Rename(s.Database, filepath.Join(aside, store.FileName)), os.Mkdir(filepath.Join(s.DataDir, datadir.StageName), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := datadir.CheckWhole(s.DataDir); !errors.Is(err, datadir.ErrUnfinished) {
		t.Errorf("a server would start: %v", err)
	}
	if _, err := Restore(t.Context(), bytes.NewReader(packed), Target{DataDir: s.DataDir}); !errors.Is(err, datadir.ErrUnfinished) {
		t.Errorf("without --force: %v, want ErrUnfinished", err)
	}
	if _, err := Restore(t.Context(), bytes.NewReader(packed), Target{DataDir: s.DataDir, Force: true}); err != nil {
		t.Fatal(err)
	}
	if err := datadir.CheckWhole(s.DataDir); err != nil {
		t.Error(err)
	}
	if got := tree(t, s.DataDir); got[store.FileName] == "" || got["identity.key"] != "a key" || got[datadir.AsidePrefix+"1/"+store.FileName] == "" {
		t.Errorf("restored %v", got)
	}
}

func TestRestoreStopsOnDemand(t *testing.T) {
	s := example(t)
	packed := archive(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Restore(ctx, bytes.NewReader(packed), Target{DataDir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("Restore() = %v, want that it was cancelled", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestExplanations(t *testing.T) {
	target := Target{DataDir: "/d"}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "it needs 6 MiB in /d"},
		{&os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, "or as root"},
		{errors.New("other"), "other"},
	} {
		if err := target.explain(Header{Bytes: 5<<20 + 1}, tc.err); !strings.Contains(err.Error(), tc.want) || !errors.Is(err, tc.err) {
			t.Errorf("explain(%v) = %v, want %q", tc.err, err, tc.want)
		}
	}
}
