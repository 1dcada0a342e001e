package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// sources parses every Go file of the repository.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		files[path] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestNoSleepInTests: a test that sleeps is slow or flaky, usually both. Inside a synctest bubble time is virtual; such a file says so by importing it.
func TestNoSleepInTests(t *testing.T) {
	for path, f := range sources(t) {
		if strings.HasSuffix(path, "_test.go") && !imports(f, "testing/synctest") || strings.Contains(path, "tests/harness") {
			for _, call := range calls(f, "time", "Sleep") {
				t.Errorf("%s calls time.Sleep at offset %d: wait for the event itself, or use testing/synctest", path, call)
			}
		}
	}
}

// TestNoExitOutsideCommands: only a command ends the process, and nothing panics on purpose.
func TestNoExitOutsideCommands(t *testing.T) {
	for path, f := range sources(t) {
		if f.Name.Name == "main" || strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, c := range [][2]string{{"os", "Exit"}, {"log", "Fatal"}, {"log", "Fatalf"}} {
			if len(calls(f, c[0], c[1])) > 0 {
				t.Errorf("%s calls %s.%s: return an error", path, c[0], c[1])
			}
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s has an init function: build what it builds where it is needed", path)
			}
		}
	}
}

// TestFilesAreShort: 500 lines is where a file is split.
func TestFilesAreShort(t *testing.T) {
	const most = 500
	for path := range sources(t) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n > most {
			t.Errorf("%s has %d lines, at most %d: one idea per file", path, n, most)
		}
	}
}

func imports(f *ast.File, path string) bool {
	for _, i := range f.Imports {
		if i.Path.Value == `"`+path+`"` {
			return true
		}
	}
	return false
}

// calls returns where f calls pkg.name.
func calls(f *ast.File, pkg, name string) (at []token.Pos) {
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == name {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == pkg {
				at = append(at, sel.Pos())
			}
		}
		return true
	})
	return at
}
