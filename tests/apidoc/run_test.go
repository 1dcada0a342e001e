package apidoc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/tests/harness"
)

// prelude has every curl of the page say with which status it was answered, in the file said of its example.
const prelude = `
curl() { command curl -sS -w '%{stderr}status %{http_code}\n' "$@" 2>>"$AT.said"; }
`

// TestPageRuns runs every command of docs/API.md in its order, in one shell, and holds statuses and answers against those that the page shows. Each answer is held
// against the API's description on its way, and each operation that the description names has its section, whose commands use it.
func TestPageRuns(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"curl", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("LEFT OUT: the commands of docs/API.md: %s is not installed (Debian package %[1]s)", program)
		}
	}
	p, w := readPage(t), newWorld(t)
	dir := t.TempDir()
	files := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	script := prelude
	for i, e := range p.examples {
		if strings.Count(e.commands, "curl ") != len(e.statuses()) {
			t.Errorf("API.md:%d: %d statuses behind %d commands", e.line, len(e.statuses()), strings.Count(e.commands, "curl "))
		}
		script += fmt.Sprintf("AT=%s\nexec >$AT.out\n%s", files(i), e.commands)
	}
	stderr, err := w.run(t, dir, script)
	for i, e := range p.examples {
		out, missing := os.ReadFile(files(i) + ".out")
		if missing != nil {
			break
		}
		said, _ := os.ReadFile(files(i) + ".said") // none where nothing was asked
		if got := answered(string(said)); !slices.Equal(got, e.statuses()) {
			t.Errorf("API.md:%d: statuses %v, the page says %v: %s\n%s", e.line, got, e.statuses(), said, out)
		}
		if e.answer != "" && !e.matches(string(out)) {
			t.Errorf("API.md:%d: the answer was\n%s\nthe page says\n%s", e.line, out, e.answer)
		}
	}
	if err != nil {
		t.Fatalf("the page's commands ended with %v: %s", err, stderr)
	}
	if len(p.examples) < 40 {
		t.Errorf("the page has %d examples", len(p.examples))
	}
	checkSeen(t, w.server)
	w.checkEvents(t, p)
}

// run runs a script as the page's reader does who has these variables.
func (w *world) run(t *testing.T, dir, script string) (stderr string, err error) {
	t.Helper()
	file := filepath.Join(dir, "page.sh")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-e", file)
	cmd.Env = append(os.Environ(), "API="+w.server.URL(), "TOKEN="+w.server.Token, "RECEIVER="+w.receiver, "RECEIVED="+w.received)
	var said strings.Builder
	cmd.Stderr = &said
	err = cmd.Run()
	return said.String(), err
}

// answered returns the statuses that commands were answered with.
func answered(said string) (all []string) {
	for line := range strings.Lines(said) {
		if status, ok := strings.CutPrefix(strings.TrimSpace(line), "status "); ok {
			all = append(all, status)
		}
	}
	return all
}

// checkSeen fails for operations that no command of the page had done, and says which documented answers it had not.
func checkSeen(t *testing.T, s *harness.Server) {
	t.Helper()
	seen, documented := 0, 0
	for _, o := range s.Operations(t) {
		if !slices.ContainsFunc(o.Success, func(status string) bool { return slices.Contains(o.Answered, status) }) {
			t.Errorf("no command of the page does %s", o)
		}
		seen, documented = seen+len(o.Answered), documented+len(o.Answered)+len(o.Missed)
		t.Logf("%s: seen %v, documented but not seen %v", o, o.Answered, o.Missed)
	}
	t.Logf("seen were %d of %d documented statuses", seen, documented)
}
