package console

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestPages(t *testing.T) {
	w := newWorld(t)
	b := &browser{w: w}
	for _, path := range []string{"/", "/console"} {
		if r := b.get(path).ok(http.StatusFound); r.header.Get("Location") != Path {
			t.Errorf("%s leads to %q", path, r.header.Get("Location"))
		}
	}
	index := b.get(Path).ok(http.StatusOK)
	found := regexp.MustCompile(`src="(assets/[0-9a-f]{16}/main\.js)".*href="(assets/[0-9a-f]{16}/main\.css)"`).FindSubmatch(index.body)
	if found == nil || index.header.Get("Cache-Control") != keepAsking || index.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("index = %s, %v", index.body, index.header)
	}
	script := b.get(Path + string(found[1])).ok(http.StatusOK)
	if script.header.Get("Cache-Control") != keepForever || script.header.Get("Content-Type") != "text/javascript; charset=utf-8" || string(script.body) != `import "./vendor/x.js"` {
		t.Errorf("script = %s, %v", script.body, script.header)
	}
	b.get(Path + strings.Replace(string(found[1]), "main.js", "vendor/x.js", 1)).ok(http.StatusOK)
	plain := b.get(Path + "assets/main.js").ok(http.StatusOK)
	if plain.header.Get("Cache-Control") != keepAsking {
		t.Errorf("without a version it is kept as %q", plain.header.Get("Cache-Control"))
	}
	for path, tag := range map[string]string{Path: index.header.Get("ETag"), Path + "assets/main.js": plain.header.Get("ETag")} {
		if r := b.get(path, "If-None-Match", `"x", `+tag).ok(http.StatusNotModified); len(r.body) > 0 {
			t.Errorf("%s has a body though nothing is new", path)
		}
	}
	if r := b.do("HEAD", Path, "").ok(http.StatusOK); len(r.body) > 0 || r.header.Get("Content-Length") == "" {
		t.Errorf("HEAD = %v", r.header)
	}
	for _, path := range []string{
		"assets/", "assets/nothing.js", "assets/0123456789abcdef/main.js", "index.html", "assets/../index.html", "assets/%2e%2e/index.html", "static/main.js", "assets/vendor", "other",
	} {
		if r := b.get(Path + path); r.status == http.StatusOK {
			t.Errorf("%s is served: %s", path, r.body)
		}
	}
	if r := b.post(Path, ""); r.status == http.StatusOK {
		t.Error("pages can be posted to")
	}
}

// TestHeaders: every answer tells browsers what they may do with it.
func TestHeaders(t *testing.T) {
	w := newWorld(t)
	b := &browser{w: w}
	for _, path := range []string{"/", Path, Path + "assets/main.js", apiPath + "me", Path + "nothing"} {
		header := b.get(path).header
		csp := header.Get("Content-Security-Policy")
		for _, part := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'",
		} {
			if !slices.Contains(strings.Split(csp, "; "), part) {
				t.Errorf("%s: policy %q lacks %q", path, csp, part)
			}
		}
		if strings.Count(csp, ";") != 8 || strings.Contains(csp, "unsafe") || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" || header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", path, header)
		}
	}
	if kept := b.get("me").header.Get("Cache-Control"); kept != "no-store" {
		t.Errorf("answers of the API are kept as %q", kept)
	}
}

func TestPagesThatCannotBe(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no index":      {"assets/main.js": {}},
		"another type":  {"index.html": {}, "assets/main.exe": {}},
		"another place": {"index.html": {}, "other/main.js": {}},
	} {
		if _, err := newPages(files); err == nil {
			t.Errorf("%s: it is served", name)
		}
	}
	one, err := newPages(fstest.MapFS{"index.html": {Data: []byte("a")}})
	if err != nil {
		t.Fatal(err)
	}
	other, err := newPages(fstest.MapFS{"index.html": {Data: []byte("b")}})
	if err != nil || one.version == other.version {
		t.Errorf("other files have the version %s, too: %v", one.version, err)
	}
}

func TestRates(t *testing.T) {
	r, now := newRates(), time.Unix(0, 0)
	r.now = func() time.Time { return now }
	for i := range 3 {
		if wait := r.take("a", rate{burst: 3, each: 2}); wait != 0 {
			t.Errorf("request %d waits for %v", i, wait)
		}
	}
	if wait := r.take("a", rate{burst: 3, each: 2}); wait != 500*time.Millisecond {
		t.Errorf("wait = %v", wait)
	}
	if wait := r.take("b", rate{burst: 3, each: 2}); wait != 0 {
		t.Errorf("another caller waits for %v", wait)
	}
	now = now.Add(500 * time.Millisecond)
	if wait := r.take("a", rate{burst: 3, each: 2}); wait != 0 {
		t.Errorf("after the wait it waits for %v", wait)
	}
	for i := range 2 * maxCallers {
		r.take(string(rune(i))+"x", members)
	}
	if len(r.left) > maxCallers {
		t.Errorf("%d callers are remembered", len(r.left))
	}
}

func TestTooFast(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn("ada", "viewer")
	w.stand(0)
	var got reply
	for range 400 {
		if got = b.get("me"); got.status != http.StatusOK {
			break
		}
	}
	if got.want(tooFast).header.Get("Retry-After") == "" {
		t.Error("it is not said when to try again")
	}
}

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	for _, url := range []string{"http://a.example", "https://", "https://a.example/", "a.example", "https://a.example/console"} {
		c := Default()
		if c.URL = url; c.Validate() == nil {
			t.Errorf("url %q validates", url)
		}
	}
	c := Default()
	if c.URL = "https://a.example:8443"; c.Validate() != nil {
		t.Error(c.Validate())
	}
}
