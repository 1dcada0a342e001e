package attacks

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// parse parses the Go files of the repository whose paths, from its root, are wanted.
func parse(t *testing.T, wanted func(path string) bool) map[string]*ast.File {
	t.Helper()
	files, set := map[string]*ast.File{}, token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		name, err := filepath.Rel(root, path)
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || !wanted(filepath.ToSlash(name)) {
			return err
		}
		files[filepath.ToSlash(name)], err = parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// program reports whether a file is part of the programs.
func program(path string) bool {
	return !strings.HasSuffix(path, "_test.go") && !strings.HasPrefix(path, "tests/")
}

// jitter are the files that may use a random source that can be predicted, each for times and for what need not be secret.
var jitter = []string{
	"internal/agent/agent.go",             // when an agent comes back
	"internal/bench/endpoint.go",          // when a played endpoint does something
	"internal/bench/profile.go",           // the same
	"internal/bench/push.go",              // which played endpoint gets a push
	"internal/client/retry.go",            // when a request is tried again
	"internal/endpoint/admit.go",          // how long the login of an endpoint that is flapping is held up
	"internal/events/webhook/schedule.go", // when an event is tried again
	"internal/id/id.go",                   // ids, which open nothing
	"internal/push/scribe.go",             // when a write is tried again
	"turn/control/backoff.go",             // when the TURN process is started again
	"turn/datapath/down.go",               // transaction ids of indications, which nothing answers
	"turn/datapath/ports.go",              // at which port the sequence begins
	"xmpp/drain.go",                       // when an endpoint is told to come back
}

// TestRow20WeakRandom: what can be predicted is used for waiting, and nowhere else.
func TestRow20WeakRandom(t *testing.T) {
	var users []string
	for path, f := range parse(t, program) {
		for _, i := range f.Imports {
			if strings.HasPrefix(i.Path.Value, `"math/rand`) {
				users = append(users, path)
			}
		}
	}
	slices.Sort(users)
	if !slices.Equal(users, jitter) {
		t.Errorf("math/rand is used by %q, and may be by %q", users, jitter)
	}
}

// keepers are the packages that look at secrets.
var keepers = []string{"xmpp/sasl/", "internal/access/", "internal/endpoint/", "internal/remote/", "internal/identity/", "relay/"}

// TestRow19ComparedInConstantTime: where secrets are looked at, bytes are compared by crypto/subtle or crypto/hmac alone.
func TestRow19ComparedInConstantTime(t *testing.T) {
	constant := 0
	for path, f := range parse(t, program) {
		if !slices.ContainsFunc(keepers, func(k string) bool { return strings.HasPrefix(path, k) }) {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch p, _ := s.X.(*ast.Ident); {
			case p == nil:
			case p.Name == "bytes" && slices.Contains([]string{"Equal", "Compare", "EqualFold", "HasPrefix", "HasSuffix", "Contains"}, s.Sel.Name):
				t.Errorf("%s uses bytes.%s", path, s.Sel.Name)
			case p.Name == "subtle" && s.Sel.Name == "ConstantTimeCompare", p.Name == "hmac" && s.Sel.Name == "Equal":
				constant++
			}
			return true
		})
	}
	if constant < 4 {
		t.Errorf("%d comparisons in constant time: this test sees nothing", constant)
	}
}
