package browser

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"

	"signalbox/tests/harness"
)

var (
	linkOf = regexp.MustCompile(`https://\S+/console/#/signin/\S+`)
)

// said is what a program has said so far.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// quickstart runs the demonstration until the test ends, and returns the link that it prints.
func quickstart(t *testing.T) string {
	t.Helper()
	var out said
	cmd := exec.Command(server(), "quickstart", "--dir", filepath.Join(t.TempDir(), "demo"))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("quickstart ended with %v:\n%s", err, out.String())
		}
	})
	harness.Await(t, func() bool { return linkOf.MatchString(out.String()) }, out.String)
	return linkOf.FindString(out.String())
}

// TestNewcomer: who opens the link that quickstart prints is in a terminal within three clicks.
func TestNewcomer(t *testing.T) {
	p := browse(t)
	p.Go(quickstart(t))
	p.Sees(".list-name", "pc-1")
	p.Picture("endpoints")
	p.Click(".list-go", "Terminal")
	p.Sees("button", "Connect")
	p.Picture("connect")
	p.Click("button", "Connect")
	p.computes()
	p.Picture("terminal")
	if p.Clicks > 3 {
		t.Errorf("it took %d clicks", p.Clicks)
	}
	p.Click("[role=tab]", "Files")
	p.Sees(".files", "Upload")
	p.Holds(`Boolean(document.querySelector(".folder, .files .wait")) && !document.querySelector(".files .fault")`)
	p.Picture("files")
}
