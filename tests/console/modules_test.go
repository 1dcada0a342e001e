package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"signalbox/tests/page"
)

// files returns the paths of all files of the pages with an ending, below the folder of the pages.
func files(t *testing.T, ending string) (all []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(static), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ending) {
			all = append(all, path)
		}
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d files of %s: %v", len(all), ending, err)
	}
	return all
}

// TestEveryModuleLoads: no module is broken, whether a page came by it or not.
func TestEveryModuleLoads(t *testing.T) {
	b := newTab(t, browse(t), page.Desktop)
	f := newFake(t)
	b.Go(f.url(""))
	b.Sees("h1", "Sign in")
	for _, path := range files(t, ".js") {
		page.Value[bool](b.Page, `import("./`+path+`").then(() => true)`, chromedp.EvalAwaitPromise)
	}
}

// TestChangeBeforeTheFirstFrame: what changes behind a component's first rendering and before the next frame is shown. On a busy machine the answer to "who am I" comes then.
func TestChangeBeforeTheFirstFrame(t *testing.T) {
	b := newTab(t, browse(t), page.Desktop)
	f := newFake(t)
	b.Go(f.url(""))
	b.Sees("h1", "Sign in")
	shown := page.Value[string](b.Page, `Promise.all([import("./assets/ui/preact.js"), import("./assets/core/emitter.js")]).then(async ([{ h, render, useChange }, { Emitter }]) => {
		const told = new Emitter();
		let value = "before";
		const box = document.createElement("p");
		render(h(() => (useChange(told), value)), box);
		value = "after";
		told.emit("change");
		await new Promise((done) => setTimeout(done));
		return box.textContent;
	})`, chromedp.EvalAwaitPromise)
	if shown != "after" {
		t.Errorf("the component shows what was %s the change", shown)
	}
}

// TestUnits runs the tests of modules that need no browser.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("LEFT OUT: tests of the console's modules: Node.js is not installed (make setup brings it)")
	}
	tests, err := filepath.Glob("testdata/units/*.test.mjs")
	if err != nil || len(tests) == 0 {
		t.Fatalf("%d tests: %v", len(tests), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*page.Within)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", append([]string{"--test", "--no-warnings"}, tests...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestVendor: what others wrote is what VENDOR.txt says, all of it is listed, and each licence is there.
func TestVendor(t *testing.T) {
	folder := filepath.Join(static, "assets", "vendor")
	list, err := os.ReadFile(filepath.Join(folder, "VENDOR.txt"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\S+\.(?:js|css)) .* ([0-9a-f]{64})$`).FindAllStringSubmatch(string(list), -1) {
		listed[m[1]] = m[2]
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		if strings.HasSuffix(e.Name(), ".txt") {
			if e.Name() != "VENDOR.txt" && !bytes.Contains(list, []byte(e.Name())) {
				t.Errorf("VENDOR.txt does not name the licence %s", e.Name())
			}
		} else if got := hex.EncodeToString(sum[:]); listed[e.Name()] != got {
			t.Errorf("%s has SHA-256 %s, VENDOR.txt says %q", e.Name(), got, listed[e.Name()])
		}
		delete(listed, e.Name())
	}
	if len(listed) > 0 {
		t.Errorf("VENDOR.txt lists what is not there: %v", listed)
	}
}

// TestNothingFromElsewhere: neither a page nor a module of ours names another site, and no file is where it would not be served.
func TestNothingFromElsewhere(t *testing.T) {
	for _, path := range files(t, "") {
		if strings.Contains(path, "/vendor/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(static, path))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), `xmlns="http://www.w3.org/2000/svg"`, "")
		if m := regexp.MustCompile(`(?i)(https?|wss?)://[a-z0-9]`).FindString(text); m != "" {
			t.Errorf("%s names another site: %s", path, m)
		}
		if path != "index.html" && !strings.HasPrefix(path, "assets/") {
			t.Errorf("%s would not be served", path)
		}
		if strings.HasPrefix(filepath.Base(path), "_") {
			t.Errorf("%s would not be embedded", path)
		}
	}
}
