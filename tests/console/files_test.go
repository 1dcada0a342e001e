package console

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"signalbox/tests/harness"
)

// big is large enough to be cut in the middle of several windows.
const big = 20<<20 + 12345

func await(t *testing.T, ok func() bool, text string) {
	t.Helper()
	harness.Await(t, ok, func() string { return text })
}

func noise(t *testing.T, size int) []byte {
	t.Helper()
	data := make([]byte, size)
	_, _ = rand.Read(data)
	return data
}

func same(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes, which are not the %d that were sent", path, len(got), len(want))
	}
}

// cutAfter has the next channel of files lost.
func (f *fake) cutAfter(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut, f.resumed = n, nil
}

func (f *fake) resumedOnce(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.resumed) != 1 || f.resumed[0] < 1<<20 {
		t.Errorf("the transfer went on from %v, want one place behind the first block", f.resumed)
	}
}

// TestUpload sends a file with a cut in the middle, and again over the one that is there.
func TestUpload(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), desktop)
	b.connect(f, "files", "websocket_only")
	b.sees(".folder", "notes.txt")
	data := noise(t, big)
	source := filepath.Join(t.TempDir(), "big.bin")
	if err := os.WriteFile(source, data, 0o644); err != nil {
		t.Fatal(err)
	}
	f.cutAfter(11 << 20)
	b.run(chromedp.SetUploadFiles(".panel-files input[type=file]", []string{source}))
	b.sees(".transfer.done", "hashes are equal, went on 1 time after a loss")
	b.sees(".folder", "big.bin")
	same(t, filepath.Join(f.root, "big.bin"), data)
	f.resumedOnce(t)
	b.picture("uploaded")

	data = noise(t, 5000)
	if err := os.WriteFile(source, data, 0o644); err != nil {
		t.Fatal(err)
	}
	b.run(chromedp.SetUploadFiles(".panel-files input[type=file]", []string{source}))
	b.press("dialog button", "Overwrite")
	b.sees(".transfer.done", "5.0 KB, hashes are equal")
	same(t, filepath.Join(f.root, "big.bin"), data)
}

// TestManyFiles: files that follow each other share channels, and the answer to the question is asked for once.
func TestManyFiles(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), desktop)
	s := b.connect(f, "files", "websocket_only")
	b.sees(".folder", "notes.txt")
	folder := t.TempDir()
	paths := []string{}
	for i := range 12 {
		path := filepath.Join(folder, fmt.Sprintf("file-%d", i))
		if err := os.WriteFile(path, []byte(path), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	b.run(chromedp.SetUploadFiles(".panel-files input[type=file]", paths))
	b.holds(`document.querySelectorAll(".transfer.done").length === 12`)
	for i, path := range paths {
		same(t, filepath.Join(f.root, fmt.Sprintf("file-%d", i)), []byte(path))
	}
	if n := s.relayed(); n != 4 {
		t.Errorf("%d channels went over the relay, want one for questions, one of the system and two for files", n)
	}
	b.press("button", "Clear the finished")
	b.run(chromedp.SetUploadFiles(".panel-files input[type=file]", paths))
	b.sees("dialog", "file-0 is there already")
	b.run(chromedp.Focus("dialog[open] input[type=checkbox]"), keys(" ", 0))
	b.press("dialog button", "Skip it")
	b.holds(`!document.querySelector("dialog[open]") && !document.querySelector(".transfer")`)
}

func (b *tab) downloadsTo(folder string) {
	b.t.Helper()
	params := browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder}
	if _, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, params); err != nil {
		b.t.Fatal(err)
	}
}

// TestDownload fetches a file with a cut in the middle.
func TestDownload(t *testing.T) {
	f := newFake(t)
	data := noise(t, big)
	if err := os.WriteFile(filepath.Join(f.root, "big.bin"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.root, "empty"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b := newTab(t, browse(t), desktop)
	folder := t.TempDir()
	b.downloadsTo(folder)
	b.connect(f, "files", "websocket_only")
	b.sees(".folder", "big.bin")
	f.cutAfter(11 << 20)
	b.press(".entry", "big.bin")
	b.sees(".transfer.done", "hashes are equal, went on 1 time after a loss")
	f.resumedOnce(t)
	path := filepath.Join(folder, "big.bin")
	await(t, func() bool { info, err := os.Stat(path); return err == nil && info.Size() == big }, "the browser did not keep the file")
	same(t, path, data)
	b.eval(`[...document.querySelectorAll(".entry")].find((e) => e.textContent.includes("empty")).focus()`)
	b.keys(kb.Enter) // by a key: a browser keeps a second file only if somebody did something
	b.sees(".transfer.done", "0 B, hashes are equal")
	await(t, func() bool { _, err := os.Stat(filepath.Join(folder, "empty")); return err == nil }, "the browser did not keep the empty file")
}

// TestFolders makes, renames and deletes, and goes through folders by keys.
func TestFolders(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), desktop)
	b.connect(f, "files", "websocket_only")
	b.press("button", "New folder")
	b.fill("dialog[open] input", "new/one")
	b.sees("dialog .fault", "a character that names cannot have")
	b.fill("dialog[open] input", "made"+kb.Enter)
	b.sees(".folder", "made")
	b.run(chromedp.Focus(".entry"), keys(kb.ArrowDown, 0))
	b.holds(`document.activeElement.textContent.includes("made")`)
	b.keys(kb.F2)
	b.fill("dialog[open] input", "renamed"+kb.Enter)
	b.sees(".entry", "renamed")
	b.press(".entry", "renamed")
	b.sees(".files", "This folder is empty.")
	b.press("button", "Up")
	b.sees(".entry", "renamed")
	b.press(`[aria-label="Rename notes.txt"]`, "Rename")
	b.fill("dialog[open] input", "folder"+kb.Enter)
	b.press("dialog button", "Cancel")
	b.press(`[aria-label="Delete renamed"]`, "Delete")
	b.press("dialog button", "Delete")
	b.holds(`![...document.querySelectorAll(".entry")].some((e) => e.textContent.includes("renamed"))`)
	if _, err := os.Stat(filepath.Join(f.root, "renamed")); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(f.root, "notes.txt")); err != nil {
		t.Errorf("the file that was not renamed: %v", err)
	}
}
