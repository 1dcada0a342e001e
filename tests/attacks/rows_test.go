package attacks

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const lastRow = 71

// known are all tests and fuzz targets of the repository as package.Test, and its conversations.
func known(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for file, f := range parse(t, func(path string) bool { return strings.HasSuffix(path, "_test.go") }) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && (strings.HasPrefix(fn.Name.Name, "Test") || strings.HasPrefix(fn.Name.Name, "Fuzz")) {
				names[path.Dir(file)+"."+fn.Name.Name] = true
			}
		}
	}
	scripts, err := filepath.Glob(root + "/tests/testdata/conversations/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d conversations, %v", len(scripts), err)
	}
	for _, s := range scripts {
		names["conversation "+strings.TrimSuffix(filepath.Base(s), ".txt")] = true
	}
	return names
}

// TestEveryRowIsShown: every row has a test that is here, or says why it needs none.
func TestEveryRowIsShown(t *testing.T) {
	names := known(t)
	used := map[string]bool{}
	for i, r := range rows {
		if r.number != i+1 {
			t.Errorf("row %d stands at place %d", r.number, i+1)
		}
		here := 0
		for _, name := range r.tests {
			used[name] = true
			switch {
			case names[name]:
				here++
			case !slices.Contains(arriving, name):
				t.Errorf("row %d: there is no %s", r.number, name)
			}
		}
		switch {
		case here == 0 && r.absent == "":
			t.Errorf("row %d has neither a test nor a reason why not", r.number)
		case here > 0 && r.absent != "":
			t.Errorf("row %d has tests, so it must not say %q any more", r.number, r.absent)
		case len(r.tests) > 0 && r.does == "":
			t.Errorf("row %d does not say what its tests show", r.number)
		}
	}
	if len(rows) != lastRow {
		t.Errorf("%d rows, want %d", len(rows), lastRow)
	}
	for _, name := range arriving {
		if names[name] {
			t.Errorf("%s is here: take it off the list of those that are not", name)
		}
		if !used[name] {
			t.Errorf("%s shows no row", name)
		}
	}
	if !slices.IsSorted(arriving) {
		t.Error("the list of tests that are not here is not sorted")
	}
}

// numbered are tests that are named after a row.
var numbered = regexp.MustCompile(`\.Test(Rows?|Attacks?)[0-9]`)

// TestNumberedTestsAreListed: a test that is named after a row, wherever it is, stands in the table.
func TestNumberedTestsAreListed(t *testing.T) {
	var listed []string
	for _, r := range rows {
		listed = append(listed, r.tests...)
	}
	for name := range known(t) {
		if numbered.MatchString(name) && !slices.Contains(listed, name) {
			t.Errorf("%s is in no row", name)
		}
	}
}

// page is docs/SECURITY.md.
func page(names map[string]bool) string {
	var b strings.Builder
	b.WriteString("# Attacks\n\nWhat Signalbox does about each attack that is known against servers of its kind, and which test shows it. A test is named by its package, ")
	b.WriteString("a conversation by its\nfile in `tests/testdata/conversations`. This page is made from `tests/attacks/table_test.go`: `UPDATE=1 go test ./tests/attacks -run TestSecurityPage`.\n\n")
	b.WriteString("| row | severity | attack | what Signalbox does | shown by |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		var here []string
		for _, name := range r.tests {
			if names[name] {
				here = append(here, "`"+name+"`")
			}
		}
		does := r.does
		if len(here) == 0 {
			does = r.absent
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", r.number, r.severity, r.attack, does, strings.Join(here, ", "))
	}
	return b.String()
}

func TestSecurityPage(t *testing.T) {
	const file = root + "/docs/SECURITY.md"
	want := page(known(t))
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/SECURITY.md is not what the table says: UPDATE=1 go test ./tests/attacks -run TestSecurityPage")
	}
}
