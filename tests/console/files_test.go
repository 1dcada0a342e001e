package console

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"signalbox/tests/harness"
	"signalbox/tests/page"
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
	b := newTab(t, browse(t), page.Desktop)
	b.connect(f, "files", "websocket_only")
	b.Sees(".folder", "notes.txt")
	data := noise(t, big)
	source := filepath.Join(t.TempDir(), "big.bin")
	if err := os.WriteFile(source, data, 0o644); err != nil {
		t.Fatal(err)
	}
	f.cutAfter(11 << 20)
	b.Run(chromedp.SetUploadFiles(".panel-files input[type=file]", []string{source}))
	b.Sees(".transfer.done", "hashes are equal, went on 1 time after a loss")
	b.Sees(".folder", "big.bin")
	same(t, filepath.Join(f.root, "big.bin"), data)
	f.resumedOnce(t)
	b.Picture("uploaded")

	data = noise(t, 5000)
	if err := os.WriteFile(source, data, 0o644); err != nil {
		t.Fatal(err)
	}
	b.Run(chromedp.SetUploadFiles(".panel-files input[type=file]", []string{source}))
	b.Click("dialog button", "Overwrite")
	b.Sees(".transfer.done", "5.0 KB, hashes are equal")
	same(t, filepath.Join(f.root, "big.bin"), data)
}

// TestManyFiles: files that follow each other share channels, and the answer to the question is asked for once.
func TestManyFiles(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), page.Desktop)
	s := b.connect(f, "files", "websocket_only")
	b.Sees(".folder", "notes.txt")
	folder := t.TempDir()
	paths := []string{}
	for i := range 12 {
		path := filepath.Join(folder, fmt.Sprintf("file-%d", i))
		if err := os.WriteFile(path, []byte(path), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	b.Run(chromedp.SetUploadFiles(".panel-files input[type=file]", paths))
	b.Holds(`document.querySelectorAll(".transfer.done").length === 12`)
	for i, path := range paths {
		same(t, filepath.Join(f.root, fmt.Sprintf("file-%d", i)), []byte(path))
	}
	if n := s.relayed(); n != 4 {
		t.Errorf("%d channels went over the relay, want one for questions, one of the system and two for files", n)
	}
	b.Click("button", "Clear the finished")
	b.Run(chromedp.SetUploadFiles(".panel-files input[type=file]", paths))
	b.Sees("dialog", "file-0 is there already")
	b.Run(chromedp.Focus("dialog[open] input[type=checkbox]"), page.Keys(" ", 0))
	b.Click("dialog button", "Skip it")
	b.Holds(`!document.querySelector("dialog[open]") && !document.querySelector(".transfer")`)
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
	b := newTab(t, browse(t), page.Desktop)
	folder := t.TempDir()
	b.DownloadsTo(folder)
	b.connect(f, "files", "websocket_only")
	b.Sees(".folder", "big.bin")
	f.cutAfter(11 << 20)
	b.Click(".entry", "big.bin")
	b.Sees(".transfer.done", "hashes are equal, went on 1 time after a loss")
	f.resumedOnce(t)
	path := filepath.Join(folder, "big.bin")
	await(t, func() bool { info, err := os.Stat(path); return err == nil && info.Size() == big }, "the browser did not keep the file")
	same(t, path, data)
	b.Eval(`[...document.querySelectorAll(".entry")].find((e) => e.textContent.includes("empty")).focus()`)
	b.Keys(kb.Enter) // by a key: a browser keeps a second file only if somebody did something
	b.Sees(".transfer.done", "0 B, hashes are equal")
	await(t, func() bool { _, err := os.Stat(filepath.Join(folder, "empty")); return err == nil }, "the browser did not keep the empty file")
}

// TestFolders makes, renames and deletes, and goes through folders by keys.
func TestFolders(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), page.Desktop)
	b.connect(f, "files", "websocket_only")
	b.Click("button", "New folder")
	b.Fill("dialog[open] input", "new/one")
	b.Sees("dialog .fault", "a character that names cannot have")
	b.Fill("dialog[open] input", "made"+kb.Enter)
	b.Sees(".folder", "made")
	b.Run(chromedp.Focus(".entry"), page.Keys(kb.ArrowDown, 0))
	b.Holds(`document.activeElement.textContent.includes("made")`)
	b.Keys(kb.F2)
	b.Fill("dialog[open] input", "renamed"+kb.Enter)
	b.Sees(".entry", "renamed")
	b.Click(".entry", "renamed")
	b.Sees(".files", "This folder is empty.")
	b.Click("button", "Up")
	b.Sees(".entry", "renamed")
	b.Click(`[aria-label="Rename notes.txt"]`, "Rename")
	b.Fill("dialog[open] input", "folder"+kb.Enter)
	b.Click("dialog button", "Cancel")
	b.Click(`[aria-label="Delete renamed"]`, "Delete")
	b.Click("dialog button", "Delete")
	b.Holds(`![...document.querySelectorAll(".entry")].some((e) => e.textContent.includes("renamed"))`)
	if _, err := os.Stat(filepath.Join(f.root, "renamed")); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(f.root, "notes.txt")); err != nil {
		t.Errorf("the file that was not renamed: %v", err)
	}
}
