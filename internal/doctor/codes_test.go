package doctor

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"testing"
)

const (
	page       = "../../docs/DOCTOR.md"
	tableBegin = "<!-- codes -->\n"
	tableEnd   = "<!-- end of codes -->\n"
)

// TestCodesArePrinted: every code of this package has a meaning and a line of the page. UPDATE=1 writes them.
func TestCodesArePrinted(t *testing.T) {
	declared := declaredCodes(t)
	table := "| code | what is the case |\n|---|---|\n"
	for _, m := range Meanings() {
		if declared[m.Code]--; declared[m.Code] != 0 {
			t.Errorf("%s is declared and explained a different number of times", m.Code)
		}
		table += fmt.Sprintf("| `%s` | %s |\n", m.Code, m.Means)
	}
	for code, missing := range declared {
		if missing > 0 {
			t.Errorf("%s has no meaning", code)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(text, []byte(tableBegin))
	_, after, ends := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !ends {
		t.Fatalf("%s has no place for the codes", page)
	}
	want := string(before) + tableBegin + table + tableEnd + string(after)
	if string(text) == want {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("%s is not up to date: UPDATE=1 go test ./internal/doctor", page)
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// declaredCodes reads the constants of codes.go.
func declaredCodes(t *testing.T) map[Code]int {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[Code]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for _, v := range spec.Values {
			if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					all[Code(text)]++
				}
			}
		}
		return true
	})
	return all
}
