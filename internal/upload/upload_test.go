package upload

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/endpoint"
)

// world is a service whose time a test sets.
type world struct {
	*Service
	t   *testing.T
	dir string
	at  time.Time
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "upload"), at: time.Now()}
	cfg := Default()
	cfg.MaxBytes, cfg.QuotaBytes = 10_000, 20_000
	if change != nil {
		change(&cfg)
	}
	w.open(cfg)
	return w
}

func (w *world) open(cfg Config) {
	w.t.Helper()
	s, err := New(cfg, w.dir, func() string { return "https://x.example" }, zap.NewNop(), func() time.Time { return w.at })
	if err != nil {
		w.t.Fatal(err)
	}
	w.Service = s
}

var owner = endpoint.Key{Domain: "x.example", ID: "pc-1"}

func (w *world) slot(f File) string {
	w.t.Helper()
	address, err := w.Request(owner, f)
	if err != nil {
		w.t.Fatalf("Request(%+v) = %v", f, err)
	}
	return strings.TrimPrefix(address, "https://x.example")
}

// do asks the handler; a body of nil has no length.
func (w *world) do(method, path string, body io.Reader) *http.Response {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequestWithContext(w.t.Context(), method, path, body))
	return rec.Result()
}

func (w *world) want(status int, method, path string, body io.Reader) *http.Response {
	w.t.Helper()
	resp := w.do(method, path, body)
	if resp.StatusCode != status {
		w.t.Errorf("%s %s = %d, want %d", method, path, resp.StatusCode, status)
	}
	return resp
}

func (w *world) files() (names []string) {
	w.t.Helper()
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestPutAndGet(t *testing.T) {
	w := newWorld(t, nil)
	path := w.slot(File{Name: "très cool.html", Size: 5, Type: "text/html"})
	if want := "/tr%C3%A8s%20cool.html"; !strings.HasSuffix(path, want) || len(path) != len(Path)+32+len(want) {
		t.Fatalf("address %s", path)
	}
	w.want(404, "GET", path, nil)
	w.want(201, "PUT", path, strings.NewReader("<b>hi"))
	resp := w.want(200, "GET", path, nil)
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "<b>hi" {
		t.Errorf("body %q, %v", body, err)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		"Content-Disposition": "attachment; filename*=utf-8''tr%C3%A8s%20cool.html", "Content-Length": "5",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := w.want(200, "HEAD", path, nil).Header.Get("Content-Length"); got != "5" {
		t.Errorf("HEAD: length %s", got)
	}
	w.want(409, "PUT", path, strings.NewReader("again"))
	w.want(405, "POST", path, strings.NewReader("x"))
	w.want(405, "DELETE", path, nil)
	w.want(204, "OPTIONS", path, nil)
}

func TestTypes(t *testing.T) {
	for claimed, want := range map[string]string{
		"image/jpeg": "image/jpeg", "video/mp4; codecs=x": "video/mp4", "image/svg+xml": "application/octet-stream", "IMAGE/SVG+XML": "application/octet-stream",
		"text/html": "application/octet-stream", "application/xhtml+xml": "application/octet-stream", "": "application/octet-stream", "image/png\r\nX: y": "application/octet-stream",
	} {
		if got := safeType(claimed); got != want {
			t.Errorf("safeType(%q) = %s, want %s", claimed, got, want)
		}
	}
}

func TestRequestRefusals(t *testing.T) {
	w := newWorld(t, nil)
	for _, tc := range []struct {
		name string
		file File
		want error
	}{
		{"largest", File{Name: "a", Size: 10_000}, nil},
		{"larger", File{Name: "a", Size: 10_001}, ErrTooLarge},
		{"empty", File{Name: "a", Size: 0}, ErrFile},
		{"negative", File{Name: "a", Size: -1}, ErrFile},
		{"no name", File{Name: "", Size: 1}, ErrFile},
		{"path", File{Name: "../../etc/passwd", Size: 1}, ErrFile},
		{"path of another system", File{Name: `..\x`, Size: 1}, ErrFile},
		{"up", File{Name: "..", Size: 1}, ErrFile},
		{"line end", File{Name: "a\r\nSet-Cookie: b", Size: 1}, ErrFile},
		{"long name", File{Name: strings.Repeat("a", 256), Size: 1}, ErrFile},
	} {
		if _, err := w.Request(owner, tc.file); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestQuota(t *testing.T) {
	w := newWorld(t, nil)
	path := w.slot(File{Name: "a", Size: 10_000})
	w.slot(File{Name: "b", Size: 9_000})
	if _, err := w.Request(owner, File{Name: "c", Size: 1}); !errors.Is(err, ErrQuota) {
		t.Errorf("with a quota full of promises: %v, want ErrQuota", err)
	}
	if _, err := w.Request(endpoint.Key{Domain: "x.example", ID: "pc-2"}, File{Name: "c", Size: 1}); err != nil {
		t.Errorf("another account: %v", err)
	}
	w.want(201, "PUT", path, bytes.NewReader(make([]byte, 10_000)))
	w.at = w.at.Add(slotLife + time.Second) // the promise of b is over
	w.sweep()
	w.slot(File{Name: "c", Size: 9_000})
	w.at = w.at.Add(w.cfg.Retention)
	w.sweep()
	if len(w.files()) != 0 || len(w.used) != 0 {
		t.Errorf("after the retention: files %v, used %v", w.files(), w.used)
	}
	w.want(404, "GET", path, nil)
}

func TestSlotsThatWait(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.QuotaBytes = 1 << 20 })
	for range maxSlots {
		w.slot(File{Name: "a", Size: 1})
	}
	if _, err := w.Request(owner, File{Name: "a", Size: 1}); !errors.Is(err, ErrSlots) {
		t.Errorf("one more: %v, want ErrSlots", err)
	}
}

// TestPutRefusals: nothing but the promised file gets to the disk, and only once.
func TestPutRefusals(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   io.Reader
		path   func(string) string
	}{
		{"less", 400, strings.NewReader("1234"), nil},
		{"more", 400, strings.NewReader("123456"), nil},
		{"no length", 411, io.MultiReader(strings.NewReader("12345")), nil},
		{"another name", 404, strings.NewReader("12345"), func(p string) string { return p + "x" }},
		{"a path in the name", 404, strings.NewReader("12345"), func(p string) string { return p + "/../../x" }},
		{"another slot", 404, strings.NewReader("12345"), func(string) string { return Path + strings.Repeat("0", 32) + "/a" }},
		{"no slot", 404, strings.NewReader("12345"), func(string) string { return Path + "..%2f..%2fx/a" }},
		{"capitals", 404, strings.NewReader("12345"), func(p string) string { return strings.ToUpper(p) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, nil)
			path := w.slot(File{Name: "a", Size: 5})
			if tc.path != nil {
				path = tc.path(path)
			}
			rec := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), "PUT", strings.ReplaceAll(path, "/UPLOAD/", Path), tc.body)
			w.ServeHTTP(rec, r)
			if rec.Code != tc.status {
				t.Errorf("PUT = %d, want %d", rec.Code, tc.status)
			}
			if files := w.files(); len(files) != 0 {
				t.Errorf("files %v", files)
			}
		})
	}
}

func TestExpiredSlot(t *testing.T) {
	w := newWorld(t, nil)
	path := w.slot(File{Name: "a", Size: 5})
	w.at = w.at.Add(slotLife + time.Second)
	w.want(404, "PUT", path, strings.NewReader("12345"))
}

// broken is a body that ends too early.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestBrokenUpload(t *testing.T) {
	w := newWorld(t, nil)
	path := w.slot(File{Name: "a", Size: 5})
	r := httptest.NewRequestWithContext(t.Context(), "PUT", path, broken{strings.NewReader("123")})
	r.ContentLength = 5
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	if rec.Code != 400 || len(w.files()) != 0 || len(w.used) != 0 {
		t.Errorf("PUT = %d, files %v, used %v", rec.Code, w.files(), w.used)
	}
	w.want(404, "PUT", path, strings.NewReader("12345"))
}

// TestRestart: files outlive the server with their owners and names, halves do not, and what is not ours stays alone.
func TestRestart(t *testing.T) {
	w := newWorld(t, nil)
	path := w.slot(File{Name: "a b", Size: 5, Type: "image/png"})
	w.want(201, "PUT", path, strings.NewReader("12345"))
	half := strings.Repeat("a", 32)
	for name, text := range map[string]string{half + partial: "half", "notes.txt": "mine", strings.Repeat("b", 32): "no record", strings.Repeat("c", 32): "\xff\xff\xff\xffx"} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.open(w.cfg)
	resp := w.want(200, "GET", path, nil)
	if got := resp.Header.Get("Content-Type"); got != "image/png" {
		t.Errorf("type %s", got)
	}
	w.want(409, "PUT", path, strings.NewReader("12345"))
	if got := w.used[owner.JID()]; got != (usage{bytes: fileCost}) || len(w.slots) != 1 {
		t.Errorf("used %+v, %d files", got, len(w.slots))
	}
	if files := strings.Join(w.files(), " "); strings.Contains(files, half) || !strings.Contains(files, "notes.txt") {
		t.Errorf("files %s", files)
	}
	w.want(404, "GET", Path+strings.Repeat("b", 32)+"/a", nil)
}
