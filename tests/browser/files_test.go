package browser

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"signalbox/tests/harness"
)

// size of the file that goes up and comes down, and how much passes before each is cut.
const (
	size = 200 << 20
	half = size / 2
)

// TestFiles: a large file goes up and comes down, each with the network cut in the middle, and is the same afterwards.
func TestFiles(t *testing.T) {
	home := t.TempDir()
	s := newStage(t, []string{"HOME=" + home})
	p := browse(t)
	source := filepath.Join(t.TempDir(), "big.bin")
	want := fill(t, source)
	s.connect(p, "files", "auto")
	p.Sees(".crumbs", filepath.Base(home))
	p.Picture("files")

	s.front.CutAfter(half)
	p.Run(chromedp.SetUploadFiles(".panel-files input[type=file]", []string{source}))
	p.Sees(".transfer.done", "hashes are equal, went on 1 time after a loss")
	p.Sees(".folder", "big.bin")
	p.Picture("uploaded")
	same(t, filepath.Join(home, "big.bin"), want)

	folder := t.TempDir()
	p.DownloadsTo(folder)
	p.Click("button", "Clear the finished")
	s.front.CutAfter(half)
	p.Click(".entry", "big.bin")
	p.Sees(".transfer.done", "hashes are equal, went on 1 time after a loss")
	p.Picture("downloaded")
	kept := filepath.Join(folder, "big.bin")
	harness.Await(t, func() bool { info, err := os.Stat(kept); return err == nil && info.Size() == size }, func() string { return "the browser did not keep the file" })
	same(t, kept, want)
}

// fill writes a file that cannot be guessed, and returns its hash.
func fill(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(file, sum), rand.Reader, size); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func same(t *testing.T, path, want string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != want {
		t.Errorf("%s has the hash %s, want %s", path, got, want)
	}
}
