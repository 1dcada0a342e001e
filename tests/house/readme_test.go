package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/internal/agent"
)

// commandsOf returns the lines of all ```sh blocks of a page.
func commandsOf(page string) (lines []string) {
	for _, block := range strings.Split(page, "```sh\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// TestReadmeCommands holds every command of the README against the programs: it exists, with each of its flags.
func TestReadmeCommands(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", "signalbox/cmd/...")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := commandsOf(string(page))
	if len(lines) < 8 {
		t.Fatalf("%d commands in the README", len(lines))
	}
	for _, line := range lines {
		line, _, _ = strings.Cut(line, " >")
		words := strings.Fields(line)
		switch {
		case words[0] == "make":
			checkTarget(t, words[1])
		case strings.HasPrefix(line, "go run ./cmd/"):
			checkHelp(t, filepath.Join(bin, filepath.Base(words[2])), words[3:])
		case words[0] == "signalbox" || words[0] == "signalbox-agent":
			checkHelp(t, filepath.Join(bin, words[0]), words[1:])
		default:
			t.Errorf("README shows %q, which is neither make nor one of our programs", line)
		}
	}
}

func checkTarget(t *testing.T, target string) {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^` + target + `:`).Match(makefile) {
		t.Errorf("README shows make %s, which the Makefile does not have", target)
	}
}

// checkHelp asks for the help of a command line with all its words: an unknown command or flag is a usage error all the same.
func checkHelp(t *testing.T, program string, words []string) {
	t.Helper()
	var path, flags []string
	for _, w := range words {
		switch {
		case strings.HasPrefix(w, "-"):
			flags = append(flags, strings.TrimLeft(w, "-"))
		case len(flags) == 0:
			path = append(path, w)
		}
	}
	out, err := exec.CommandContext(t.Context(), program, append(path, "--help")...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s --help: %v: %s", filepath.Base(program), strings.Join(path, " "), err, out)
		return
	}
	if len(path) > 0 && !strings.Contains(string(out), filepath.Base(program)+" "+path[0]) {
		t.Errorf("%s has no command %s: %s", filepath.Base(program), path[0], out)
	}
	for _, f := range flags {
		f, _, _ = strings.Cut(f, "=")
		if !regexp.MustCompile(`--` + f + `\b|-` + f + `,`).Match(out) {
			t.Errorf("%s %s has no flag --%s", filepath.Base(program), strings.Join(path, " "), f)
		}
	}
}

// TestReadmeLinks: every file that a page names by a link is there.
func TestReadmeLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, page := range []string{"README.md", "docs/ARCHITECTURE.md", "docs/API.md", "docs/decisions/README.md"} {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}

// TestReadmeAgentFile: the agent takes the configuration that the README shows.
func TestReadmeAgentFile(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("s3cret-1"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "agent.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(block, "/etc/signalbox-agent.secret", secret)), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := agent.Load(file, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, block)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if cfg.ID == "" || len(cfg.Handlers) != 1 {
		t.Errorf("the README's file gives id %q and %d handlers", cfg.ID, len(cfg.Handlers))
	}
}

// TestBenchmarksOfPages: a command that a page gives for benchmarks finds some.
func TestBenchmarksOfPages(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile("-bench (\\w+) \\./([^ `]+)")
	found := 0
	for _, p := range pages {
		for _, m := range command.FindAllStringSubmatch(readPage(t, filepath.Join("docs", filepath.Base(p))), -1) {
			found++
			if !hasBenchmark(t, m[2], m[1]) {
				t.Errorf("%s: %q matches no benchmark", p, m[0])
			}
		}
	}
	if found == 0 {
		t.Error("no page has such a command")
	}
}

func hasBenchmark(t *testing.T, folder, pattern string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func Benchmark\w*` + pattern)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if declared.Match(text) {
			return true
		}
	}
	return false
}
