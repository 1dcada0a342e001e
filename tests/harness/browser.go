package harness

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Browser is Debian's program of a browser.
const Browser = "chromium"

// Browse opens a page in a browser of its own and returns what the browser wrote, when the page has loaded and the browser has ended.
func Browse(t *testing.T, url string, flags ...string) (said []byte) {
	t.Helper()
	dir, err := os.MkdirTemp("", "signalbox-browser-")
	if err != nil {
		t.Fatal(err)
	}
	// Helpers of the browser may outlive it for a moment, and write.
	defer Await(t, func() bool { return os.RemoveAll(dir) == nil }, func() string { return dir + " cannot be removed" })
	log, err := os.CreateTemp(t.TempDir(), "browser-*.log") // a file: a pipe would stay open until the last helper has ended
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	args := append(flags, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server", "--user-data-dir="+dir, "--dump-dom", url)
	cmd := exec.CommandContext(ctx, Browser, args...)
	cmd.Stderr = log
	err = cmd.Run()
	said, readErr := os.ReadFile(log.Name())
	if err != nil || readErr != nil {
		t.Fatalf("%s: %v, %v\n%s", Browser, err, readErr, said)
	}
	return said
}
