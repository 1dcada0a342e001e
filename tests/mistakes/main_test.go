package mistakes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The statuses of a program that finds a mistake.
const (
	statusFailed = 1
	statusConfig = 78
)

// programs is the folder with signalbox and signalbox-agent as they are installed.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signalbox-mistakes-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "signalbox/cmd/...").CombinedOutput()
	if err == nil {
		err = os.Chmod(dir, 0o755) // for runs as a user without rights
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "build the programs: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// site is a folder with an installation in it: signalbox.yaml, certs, data.
type site struct {
	dir string
	uid int // of the user that runs the program; 0: of the test
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return &site{dir: dir}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// write makes a file, and the folders above it.
func (s *site) write(t *testing.T, name string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.path(name), mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

// command is a program to run in the site, with nothing of the test's environment that it could be configured by.
func (s *site) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(programs, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	if s.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.uid)}}
	}
	return cmd
}

// run runs a program to its end and returns all that it said and its status. A server that starts has found no mistake: it is ended, and the test with it.
func (s *site) run(t *testing.T, name string, args ...string) (said string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := s.command(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%v: the program found no mistake and goes on:\n%s", args, out.String())
	}
	return strings.ReplaceAll(out.String(), s.dir, "DIR"), cmd.ProcessState.ExitCode()
}

// nobody is a user without rights. Root may read everything: as root the program is run as another user.
func nobody() int {
	if os.Getuid() == 0 {
		return 65534
	}
	return 0
}

// sentences are the distinct ones that a table saw.
type sentences map[string]string // sentence -> row

// add fails if another row has the sentence already.
func (s sentences) add(t *testing.T, row, sentence string) {
	t.Helper()
	if other, ok := s[sentence]; ok {
		t.Errorf("has the sentence of %q:\n%s", other, sentence)
	}
	s[sentence] = row
}

// lineWith returns the first line in which all words stand, or fails.
func lineWith(t *testing.T, text string, words ...string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if hasAll(line, words) {
			return strings.TrimPrefix(strings.TrimSpace(line), "signalbox: ")
		}
	}
	t.Errorf("no line has all of %q:\n%s", words, text)
	return ""
}

func hasAll(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}
