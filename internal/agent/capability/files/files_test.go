package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/channel/channeltest"
	"signalbox/internal/channel/client"
	"signalbox/internal/channel/transfer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// link is a channel between a technician and the capability.
type link struct {
	*client.Files
	technician, endpoint *channeltest.End
	served               chan error // what Serve returned
}

// newFiles makes the capability.
func newFiles(t testing.TB, root string) *Files {
	t.Helper()
	f, err := New(root)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// session is one that may do everything, or what is given.
func session(permissions ...string) capability.Session {
	return capability.Session{ID: "ses_1", Kinds: []string{channel.Files}, Permissions: permissions, Log: zap.NewNop()}
}

// connect opens a channel; prepare, if not nil, sees its ends before they are used.
func connect(t testing.TB, i capability.Instance, prepare func(technician, endpoint *channeltest.End)) *link {
	t.Helper()
	a, b := channeltest.Pipe()
	if prepare != nil {
		prepare(a, b)
	}
	l := &link{technician: a, endpoint: b, served: make(chan error, 1)}
	go func() { l.served <- i.Serve(context.Background(), b) }()
	l.Files = client.NewFiles(a)
	return l
}

// end ends a channel and returns what Serve returned.
func (l *link) end() error {
	l.Close()
	return <-l.served
}

func open(t testing.TB, permissions ...string) *link {
	t.Helper()
	l := connect(t, newFiles(t, "").Open(session(permissions...)), nil)
	t.Cleanup(func() { l.end() })
	return l
}

func content(size int, seed byte) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var refusal *channel.Error
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Errorf("%s: error %v, want %s", what, err, code)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLookAndChange(t *testing.T) {
	l, ctx, dir := open(t), t.Context(), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("b"), "bb")
	if err := errors.Join(os.Symlink("b", at("c")), os.Symlink(dir, at("d"))); err != nil {
		t.Fatal(err)
	}
	if err := l.Mkdir(ctx, at("a")); err != nil {
		t.Fatal(err)
	}
	got, cut, err := l.List(ctx, dir)
	if err != nil || cut || len(got) != 4 {
		t.Fatalf("List = %+v, %v, %v", got, cut, err)
	}
	for n, want := range []channel.FileEntry{
		{Name: "a", Kind: "dir", Mode: "rwxr-xr-x"},
		{Name: "b", Kind: "file", Size: 2, Mode: "rw-r--r--"},
		{Name: "c", Kind: "link", Mode: "rwxrwxrwx", Target: "b"},
		{Name: "d", Kind: "link", Mode: "rwxrwxrwx", Target: dir, Folder: true},
	} {
		if want.Modified = got[n].Modified; got[n] != want || time.Since(want.Modified) > time.Hour {
			t.Errorf("entry %d = %+v, want %+v", n, got[n], want)
		}
	}
	if e, err := l.Stat(ctx, at("b")); err != nil || e.Name != "b" || e.Size != 2 {
		t.Errorf("Stat = %+v, %v", e, err)
	}
	if e, err := l.Stat(ctx, "/"); err != nil || e.Name != "/" || e.Kind != "dir" {
		t.Errorf("Stat(/) = %+v, %v", e, err)
	}
	wantCode(t, "a folder that is there", l.Mkdir(ctx, at("a")), channel.CodeExists)
	wantCode(t, "onto a file", l.Rename(ctx, at("b"), at("c"), false), channel.CodeExists)
	wantCode(t, "onto a link", l.Rename(ctx, at("b"), at("c"), true), channel.CodeInvalid)
	wantCode(t, "onto a folder", l.Rename(ctx, at("b"), at("a"), true), channel.CodeInvalid)
	write(t, at("e"), "e")
	if err := l.Rename(ctx, at("b"), at("e"), true); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(at("e")); string(text) != "bb" {
		t.Errorf("e is %q, %v", text, err)
	}
	write(t, at("a/x"), "x")
	if err := l.Remove(ctx, at("a"), false); err == nil {
		t.Error("a folder that is not empty was removed")
	}
	for path, recursive := range map[string]bool{"a": true, "c": false, "d": true} {
		if err := l.Remove(ctx, at(path), recursive); err != nil {
			t.Error(path, err)
		}
	}
	wantCode(t, "what is not there", l.Remove(ctx, at("a"), true), channel.CodeNotFound)
	if names, _ := os.ReadDir(dir); len(names) != 1 || names[0].Name() != "e" { // d led to dir itself, and was removed alone
		t.Errorf("left: %v", names)
	}
	if roots, err := l.Roots(ctx); err != nil || !slices.Contains(roots, channel.FileRoot{Name: "/", Path: "/"}) {
		t.Errorf("Roots = %+v, %v", roots, err)
	}
}

// TestLargeFolder: a list comes in pieces, and ends at its bound.
func TestLargeFolder(t *testing.T) {
	l, dir := open(t), t.TempDir()
	for n := range 1001 {
		write(t, filepath.Join(dir, fmt.Sprintf("%04d%s", n, strings.Repeat("n", 200))), "")
	}
	got, cut, err := l.List(t.Context(), dir)
	if err != nil || cut || len(got) != 1001 || !slices.IsSortedFunc(got, func(a, b channel.FileEntry) int { return strings.Compare(a.Name, b.Name) }) {
		t.Fatalf("%d entries, %v, %v", len(got), cut, err)
	}
	for n := 1001; n <= channel.MaxEntries; n++ {
		write(t, filepath.Join(dir, fmt.Sprint(n)), "")
	}
	if got, cut, err = l.List(t.Context(), dir); err != nil || !cut || len(got) != channel.MaxEntries {
		t.Fatalf("%d entries, %v, %v", len(got), cut, err)
	}
}

// journey moves a file of 64 MiB through a channel that is cut 20 times, the agent starting anew each third time. attempt goes on with it on one channel; done tells when it
// is through.
func journey(t *testing.T, size int64, down bool, attempt func(l *link) (done bool)) {
	t.Helper()
	cuts := 0
	var arrived int64 // bytes of frames that came out on the receiver's side
	f := newFiles(t, "")
	for {
		left := int64(-1) // bytes until the cut; -1: there is none
		if cuts < 20 {
			left = int64(channel.BlockSize + rand.IntN(3*channel.BlockSize))
		}
		l := connect(t, f.Open(session()), func(technician, endpoint *channeltest.End) {
			receiver := endpoint
			if down {
				receiver = technician
			}
			receiver.Arrived = func(m channel.Message) {
				if m.Text || left == 0 {
					return
				}
				n := int64(len(m.Data) - channel.FrameHeader)
				arrived += n
				if left > 0 {
					if left = max(0, left-n); left == 0 {
						receiver.Cut()
					}
				}
			}
		})
		done := attempt(l)
		l.end()
		if done {
			break
		}
		if cuts++; cuts%3 == 0 {
			f = newFiles(t, "")
		}
	}
	again := arrived - size
	t.Logf("%d cuts, %d bytes came again", cuts, again)
	if most := int64(cuts) * channel.BlockSize; cuts != 20 || again > most {
		t.Errorf("%d bytes came again after %d cuts, want at most %d after 20", again, cuts, most)
	}
}

func TestUploadWithCuts(t *testing.T) {
	const size = 64 << 20
	data, path := content(size, 1), filepath.Join(t.TempDir(), "file")
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	journey(t, size, false, func(l *link) bool {
		sum, err := l.Upload(t.Context(), path, bytes.NewReader(data), size, client.UploadOptions{Modified: when})
		if err != nil {
			if _, err := os.Stat(path); err == nil {
				t.Error("the file has its name before it is whole")
			}
			return false
		}
		if sum != sha256.Sum256(data) {
			t.Error("the endpoint has another hash")
		}
		return true
	})
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
	if fi, err := os.Stat(path); err != nil || !fi.ModTime().Equal(when) {
		t.Errorf("%v, %v", fi, err)
	}
}

func TestDownloadWithCuts(t *testing.T) {
	const size = 64 << 20
	data, from, into := content(size, 2), filepath.Join(t.TempDir(), "file"), t.TempDir()
	if err := os.WriteFile(from, data, 0o644); err != nil {
		t.Fatal(err)
	}
	journey(t, size, true, func(l *link) bool {
		sum, err := l.Download(t.Context(), from, openPart(t, into), nil)
		if err == nil && sum != sha256.Sum256(data) {
			t.Error("the endpoint has another hash")
		}
		return err == nil
	})
	if got, err := os.ReadFile(filepath.Join(into, "copy")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
}

// openPart opens what becomes dir/copy.
func openPart(t testing.TB, dir string) *transfer.Part {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := transfer.OpenPart(t.Context(), root, "copy", func(transfer.Origin) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestUploadEnds: what an upload may replace, and what it leaves behind.
func TestUploadEnds(t *testing.T) {
	l, ctx, dir := open(t), t.Context(), t.TempDir()
	path, data := filepath.Join(dir, "file"), content(3<<20, 3)
	upload := func(path string, o client.UploadOptions) error {
		_, err := l.Upload(ctx, path, bytes.NewReader(data), int64(len(data)), o)
		return err
	}
	write(t, path, "old")
	wantCode(t, "onto a file", upload(path, client.UploadOptions{}), channel.CodeExists)
	wantCode(t, "onto a folder", upload(dir, client.UploadOptions{Overwrite: true}), channel.CodeInvalid)
	wantCode(t, "into nowhere", upload(filepath.Join(dir, "no", "file"), client.UploadOptions{}), channel.CodeNotFound)
	_, err := l.Upload(ctx, filepath.Join(dir, "immense"), bytes.NewReader(nil), channel.MaxOffset, client.UploadOptions{})
	wantCode(t, "more than there is room for", err, channel.CodeTooLarge)
	if err := upload(path, client.UploadOptions{Overwrite: true}); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("left: %v", names)
	}
}

// TestUploadTakenOver: a channel that the technician has lost without the endpoint's knowing does not stand in the way; another session does.
func TestUploadTakenOver(t *testing.T) {
	f, path := newFiles(t, ""), filepath.Join(t.TempDir(), "file")
	i := f.Open(session())
	stuck := connect(t, i, nil)
	defer stuck.end()
	waiting, began := newSlow(), make(chan error, 1)
	data := content(2<<20, 4)
	go func() {
		_, err := stuck.Upload(t.Context(), path, waiting, int64(len(data)), client.UploadOptions{})
		began <- err
	}()
	<-waiting.asked

	other := session()
	other.ID = "ses_2"
	foreign := connect(t, f.Open(other), nil)
	defer foreign.end()
	_, err := foreign.Upload(t.Context(), path, bytes.NewReader(data), int64(len(data)), client.UploadOptions{})
	wantCode(t, "another session", err, channel.CodeExists)

	again := connect(t, i, nil)
	defer again.end()
	if _, err := again.Upload(t.Context(), path, bytes.NewReader(data), int64(len(data)), client.UploadOptions{}); err != nil {
		t.Error(err)
	}
	close(waiting.free)
	wantCode(t, "the first", <-began, channel.CodeCancelled)
	if got, err := os.ReadFile(path); !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// slow is a file that is not read before it may be.
type slow struct{ asked, free chan struct{} }

func newSlow() *slow { return &slow{make(chan struct{}, 16), make(chan struct{})} }

func (s *slow) ReadAt(b []byte, _ int64) (int, error) {
	s.asked <- struct{}{}
	<-s.free
	return len(b), nil
}

// TestDownloadChanges: a file that changed is fetched from its beginning, one that changes meanwhile not at all, and one that grows as it was.
func TestDownloadChanges(t *testing.T) {
	const size = 3 << 20
	from, into := filepath.Join(t.TempDir(), "file"), t.TempDir()
	fetch := func(old, data []byte) {
		if err := os.WriteFile(from, old, 0o644); err != nil {
			t.Fatal(err)
		}
		l := connect(t, newFiles(t, "").Open(session()), func(_, endpoint *channeltest.End) {
			n := 0
			endpoint.Tamper = func(m channel.Message) {
				if n += len(m.Data); n > 2<<20 {
					endpoint.Cut()
				}
			}
		})
		if _, err := l.Download(t.Context(), from, openPart(t, into), nil); err == nil {
			t.Fatal("the channel was not cut")
		}
		l.end()
		if err := os.WriteFile(from, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data := content(size, 6)
	fetch(content(size+5, 5), data)
	l := open(t)
	if _, err := l.Download(t.Context(), from, openPart(t, into), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(into, "copy")); !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for name, change := range map[string]func(f *os.File) error{
		"written over": func(f *os.File) error {
			_, err := f.WriteAt([]byte("x"), 0)
			return errors.Join(err, os.Chtimes(from, time.Time{}, time.Unix(1, 0)))
		},
		"longer": func(f *os.File) error { _, err := f.WriteAt([]byte("x"), size); return err },
	} {
		into := t.TempDir()
		f, err := os.OpenFile(from, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		first := true
		_, err = l.Download(t.Context(), from, openPart(t, into), func(int64, int64) {
			if first {
				first = false
				if err := change(f); err != nil {
					t.Error(err)
				}
			}
		})
		f.Close()
		if name == "longer" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantCode(t, name, err, channel.CodeChanged)
		if names, _ := os.ReadDir(into); len(names) != 0 {
			t.Errorf("%s: left %v", name, names)
		}
	}
}

func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, "x")
	reader, writer := open(t, channel.MayReadFiles), open(t, channel.MayWriteFiles)
	ctx := t.Context()
	_, _, err := writer.List(ctx, dir)
	wantCode(t, "list", err, channel.CodeNotPermitted)
	_, err = writer.Stat(ctx, path)
	wantCode(t, "stat", err, channel.CodeNotPermitted)
	_, err = writer.Download(ctx, path, openPart(t, t.TempDir()), nil)
	wantCode(t, "download", err, channel.CodeNotPermitted)
	_, err = reader.Upload(ctx, filepath.Join(dir, "new"), bytes.NewReader(nil), 0, client.UploadOptions{})
	wantCode(t, "upload", err, channel.CodeNotPermitted)
	wantCode(t, "mkdir", reader.Mkdir(ctx, filepath.Join(dir, "new")), channel.CodeNotPermitted)
	wantCode(t, "remove", reader.Remove(ctx, path, false), channel.CodeNotPermitted)
	wantCode(t, "rename", reader.Rename(ctx, path, filepath.Join(dir, "new"), false), channel.CodeNotPermitted)
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("the folder holds %v", names)
	}
	none := session()
	none.Kinds = []string{channel.Terminal}
	l := connect(t, newFiles(t, "").Open(none), nil)
	_, err = l.Roots(ctx)
	wantCode(t, "another kind of session", err, channel.CodeNotPermitted)
	l.end()
}

// TestMalformed: what is not of the protocol ends the channel, with a reason.
func TestMalformed(t *testing.T) {
	for _, m := range []channel.Message{
		{Text: true, Data: []byte(`{"id":1,"nothing":{}}`)},
		{Text: true, Data: []byte(strings.Repeat(" ", channel.MaxRequest+1))},
		{Data: []byte("short")},
		{Data: make([]byte, 100)},
	} {
		a, b := channeltest.Pipe()
		served := make(chan error, 1)
		i := newFiles(t, "").Open(session())
		go func() { served <- i.Serve(t.Context(), b) }()
		if err := a.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		got, err := a.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		answer, err := channel.DecodeFilesAnswer(got.Data)
		if err != nil || answer.Error == nil || answer.Error.Code != channel.CodeInvalid {
			t.Errorf("%.30q: %+v, %v", m.Data, answer, err)
		}
		wantCode(t, "Serve", <-served, channel.CodeInvalid)
	}
}
