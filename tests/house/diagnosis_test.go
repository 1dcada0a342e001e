package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signalbox/internal/diagnosis"
	"signalbox/internal/listen"
)

// diagnoses is docs/DIAGNOSIS.md, made from the catalogue in the code.
func diagnoses() string {
	var b strings.Builder
	b.WriteString("# Diagnosis\n\nWhat `GET /v1/endpoints/{id}/diagnosis` and `GET /v1/pushes/{id}/explain` say: each case has a code that never changes its meaning, one sentence about ")
	b.WriteString("what is the case, and one about what to do. Words in braces stand for facts. This page is made from the code: `UPDATE=1 go test ./tests/house`.\n\n")
	b.WriteString("`signalbox endpoint diagnose ID`, `signalbox endpoint timeline ID` and `signalbox push explain ID` show the same to people.\n\n## The ladder\n\n")
	b.WriteString("An endpoint climbs these steps until the management server knows that it is online. Each is ok, failed, unknown or not reached. `signalbox-agent doctor` climbs the same ")
	b.WriteString("from the other side: what never reaches this server is seen there alone.\n\n| step | ok means |\n|---|---|\n")
	for _, row := range []struct {
		step diagnosis.Step
		text string
	}{
		{diagnosis.DNS, "it found the address of this server"}, {diagnosis.TCP, "it reached a listener and said something"},
		{diagnosis.Proxy, "the load balancer's PROXY header could be read, or none stands in between"}, {diagnosis.TLS, "it accepts our certificate and our versions of TLS"},
		{diagnosis.Stream, "its stream is XMPP for a domain that is served here"}, {diagnosis.Auth, "it proved who it is"}, {diagnosis.Bind, "it has a session"},
		{diagnosis.Presence, "it said that it takes pushes"}, {diagnosis.Event, "the management server was told"},
	} {
		fmt.Fprintf(&b, "| `%s` | %s |\n", row.step, row.text)
	}
	b.WriteString("\nWhat came before a login has no name. It is told of an endpoint if it came from the address where that one was last seen, and the sentence says so; of an address that ")
	b.WriteString("several endpoints share it says that, too. Attempts are remembered in memory for a day, see [the decision](decisions/0012-attempts-are-not-stored.md).\n")
	table := func(title string, codes []diagnosis.Code, steps bool) {
		fmt.Fprintf(&b, "\n## %s\n\n", title)
		for _, c := range codes {
			at := ""
			if steps && c.Step != "" {
				at = ", at `" + string(c.Step) + "`"
			}
			fmt.Fprintf(&b, "### `%s`\n\nSeen%s: %s.\n\n> %s\n>\n> %s\n\n", c.Name, at, c.Seen, c.Summary, c.Action)
		}
	}
	table("Endpoints", diagnosis.Codes(), true)
	table("Pushes", diagnosis.PushCodes(), false)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func TestDiagnosesAreDocumented(t *testing.T) {
	path := filepath.Join(root, "docs", "DIAGNOSIS.md")
	want := diagnoses()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s differs from the catalogue in the code (%v): run UPDATE=1 go test ./tests/house", path, err)
	}
}

// toldAlone are the cases that no test can bring about with a real server, and why: a fake tells the diagnosis of them.
var toldAlone = map[string]string{
	"unresponsive":    "a receipt may take a minute",
	"login_unchecked": "the store fails to read in the middle of a login",
	"being_sent":      "lasts a moment",
	"waits_behind":    "lasts a moment",
	"push_rejected":   "stands for reasons that are yet to come",
}

// TestDiagnosesArePlayed: every case is brought about with a real server and asked for by its code, or is one of those that are told alone.
func TestDiagnosesArePlayed(t *testing.T) {
	files := sources(t)
	played, told := asked(files, "tests/why", "tests/enrol"), asked(files, "internal/diagnosis")
	known := map[string]bool{}
	for _, c := range append(diagnosis.Codes(), diagnosis.PushCodes()...) {
		known[c.Name] = true
		switch why, alone := toldAlone[c.Name]; {
		case alone && played[c.Name]:
			t.Errorf("%s is played: it is not told alone", c.Name)
		case alone && !told[c.Name]:
			t.Errorf("no test tells %s, which cannot be played: %s", c.Name, why)
		case !alone && !played[c.Name]:
			t.Errorf("no test plays %s", c.Name)
		}
	}
	for name := range toldAlone {
		if !known[name] {
			t.Errorf("%s is no code", name)
		}
	}
}

// askers are the functions of tests that wait for the code which they are given.
var askers = map[string]bool{"await": true, "explain": true, "untold": true}

// asked returns the texts that tests in these folders hold a code against: in a row of a table, in a comparison, and as what an asker waits for. What they write or
// read elsewhere, such as the condition of a stream error, is no code.
func asked(files map[string]*ast.File, folders ...string) map[string]bool {
	found := map[string]bool{}
	for path, f := range files {
		dir, _ := filepath.Rel(root, filepath.Dir(path))
		if !strings.HasSuffix(path, "_test.go") || !slices.Contains(folders, filepath.ToSlash(dir)) {
			continue
		}
		for n := range ast.Preorder(f) {
			for _, e := range heldAgainst(n) {
				found[text(e)] = true
			}
		}
	}
	return found
}

// heldAgainst returns the expressions in a node that may be codes.
func heldAgainst(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.CompositeLit:
		return n.Elts
	case *ast.KeyValueExpr:
		return []ast.Expr{n.Key, n.Value}
	case *ast.BinaryExpr:
		return []ast.Expr{n.X, n.Y}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.SelectorExpr); ok && askers[f.Sel.Name] {
			return n.Args
		}
	}
	return nil
}

// text is what a literal says; empty: it is none.
func text(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(l.Value) // the parser took it
	return s
}

// TestRefusalsHaveDiagnoses: whatever the listener refuses has a sentence.
func TestRefusalsHaveDiagnoses(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "internal/app/attempts.go"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, c := range diagnosis.Codes() {
		known[c.Name] = true
	}
	told := map[listen.Reason]bool{ // that are told under another name, or not at all
		listen.TooMany: true, listen.TooManySource: true, listen.NoHandler: true, listen.QueueFull: true, listen.QueueTimeout: true,
		listen.Stopping: true, listen.Redirected: true, listen.PassthroughDial: true, listen.PassthroughIdle: true, listen.PassthroughDone: true,
	}
	for _, r := range listen.Reasons() {
		if !told[r.Reason] && !known[string(r.Reason)] {
			t.Errorf("the refusal %s has no diagnosis of its name", r.Reason)
		}
	}
	for _, piece := range strings.Split(string(source), `return "`)[1:] {
		if name, _, _ := strings.Cut(piece, `"`); name != "" && !known[name] {
			t.Errorf("internal/app/attempts.go names %s, which is not in the catalogue", name)
		}
	}
}
