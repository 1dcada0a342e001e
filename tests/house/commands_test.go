package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// programs builds both programs and returns their folder.
func programs(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", "signalbox/cmd/...").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// operatorPages are the pages from which operators copy commands.
func operatorPages(t *testing.T) (pages []string) {
	t.Helper()
	for _, pattern := range []string{"README.md", "docs/OPERATIONS.md", "docs/operations/*.md", "docs/TIGASE.md", "docs/AGENT.md", "docs/DOCTOR.md", "deploy/*/README.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	return pages
}

var (
	// inCode is a span of code in a line.
	inCode = regexp.MustCompile("`([^`\n]+)`")
	// joint is what stands between the commands of a line.
	joint = regexp.MustCompile(`\||;|&&| > `)
	// ours is a command of ours, at the beginning or behind what runs it, such as sudo or docker-compose exec.
	ours = regexp.MustCompile(`^(.*[ \t])?(signalbox|signalbox-agent)( .*)$`)
	// valued is what ends with a short flag, whose value the name is then, as in kubectl -n signalbox.
	valued = regexp.MustCompile(`(^| )-[a-z][ \t]+$`)
	// command is how a word of a command line looks that is none of a value's.
	command = regexp.MustCompile(`^[a-z][a-z-]*$`)
	usage   = regexp.MustCompile(`(?m)^Usage:\n  (.*)$`)
	group   = regexp.MustCompile(`(?m)^  signalbox.* \[command\]$`)
)

// commandLines returns the commands of ours that a page shows: lines of its blocks of code, and spans of code that begin with the name of a program.
func commandLines(page string) (lines []string) {
	fenced := false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		texts := []string{strings.TrimPrefix(line, "$ ")}
		if !fenced {
			texts = nil
			for _, m := range inCode.FindAllStringSubmatch(line, -1) {
				texts = append(texts, m[1])
			}
		}
		for _, text := range texts {
			text = strings.ReplaceAll(text, " -n signalbox ", " ") // kubectl's namespace
			for _, part := range joint.Split(text, -1) {
				if m := ours.FindStringSubmatch(strings.TrimSpace(part)); m != nil && !valued.MatchString(m[1]) && command.MatchString(strings.Fields(m[3] + " -")[0]) {
					lines = append(lines, m[2]+m[3])
				}
			}
		}
	}
	return lines
}

// TestPagesCommands holds every command of ours that a page for operators shows against the programs: it exists, with each of its flags.
func TestPagesCommands(t *testing.T) {
	bin := programs(t)
	known := map[string]string{} // command line -> what is wrong with it
	for _, page := range operatorPages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		lines := commandLines(string(text))
		for _, line := range lines {
			mistake, ok := known[line]
			if !ok {
				mistake = checkCommand(t, bin, line)
				known[line] = mistake
			}
			if mistake != "" {
				t.Errorf("%s shows %q: %s", page, line, mistake)
			}
		}
	}
	if len(known) < 60 {
		t.Errorf("%d commands in all pages: they are not found any more", len(known))
	}
	for _, wrong := range []string{"signalbox endpoint paint pc-1", "signalbox paint", "signalbox push send pc-1 x --colour red", "signalbox-agent serve", "signalbox doctor paint"} {
		if checkCommand(t, bin, wrong) == "" {
			t.Errorf("%q passes", wrong)
		}
	}
}

// checkCommand says what is wrong with a command line, or nothing. The program itself reads it, with --help behind its words: it shows of which command that is the help.
func checkCommand(t *testing.T, bin, line string) string {
	t.Helper()
	words := strings.Fields(line)
	args, flags := words[1:], []string{}
	for i, w := range args {
		if strings.HasPrefix(w, "-") && w != "-" {
			args, flags = args[:i], args[i:]
			break
		}
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, words[0]), append(append([]string{}, args...), "--help")...).CombinedOutput()
	if err != nil {
		return err.Error() + ": " + string(out)
	}
	m := usage.FindStringSubmatch(string(out))
	if m == nil {
		return "its help shows no usage: " + string(out)
	}
	path := strings.Fields(m[1]) // the command that was found, then its arguments
	depth := 1
	for depth < len(path) && depth-1 < len(args) && path[depth] == args[depth-1] {
		depth++
	}
	if rest := args[depth-1:]; len(rest) > 0 && group.Match(out) {
		return "there is no command " + rest[0]
	}
	if args[0] == "doctor" {
		for _, step := range args[1:] {
			if !regexp.MustCompile(`\b` + regexp.QuoteMeta(step) + `\b`).Match(out) {
				return "doctor has no step " + step
			}
		}
	}
	return checkFlags(string(out), flags)
}

// checkFlags says which flag a help does not have, or nothing. Values stand between flags.
func checkFlags(help string, flags []string) string {
	for _, f := range flags {
		if f = strings.TrimRight(f, ".,"); !strings.HasPrefix(f, "-") || f == "-" {
			continue
		}
		f, _, _ = strings.Cut(strings.TrimLeft(f, "-"), "=")
		if !regexp.MustCompile(`--` + regexp.QuoteMeta(f) + `\b|-` + regexp.QuoteMeta(f) + `,`).MatchString(help) {
			return "there is no flag " + f
		}
	}
	return ""
}
