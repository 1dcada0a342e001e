package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestProtocolPage: docs/PROTOCOL.md names every namespace of ours and every XEP that the code on the wire names, and has a schema for each namespace.
func TestProtocolPage(t *testing.T) {
	page := read(t, "docs", "PROTOCOL.md")
	for _, ns := range mentioned(t, regexp.MustCompile(`urn:signalbox:[a-z]+:[0-9]+`), "xmpp", "internal") {
		if !strings.Contains(page, "`"+ns+"`") {
			t.Errorf("docs/PROTOCOL.md does not name %s", ns)
		}
		parts := strings.Split(ns, ":")
		if schema := read(t, "docs", "schema", parts[2]+"-"+parts[3]+".xsd"); !strings.Contains(schema, `targetNamespace="`+ns+`"`) {
			t.Errorf("the schema is not that of %s", ns)
		}
	}
	for _, xep := range mentioned(t, regexp.MustCompile(`XEP-0[0-9]{3}`), "xmpp", filepath.Join("internal", "account"), filepath.Join("internal", "agent")) {
		if !strings.Contains(page, xep) {
			t.Errorf("docs/PROTOCOL.md does not name %s", xep)
		}
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mentioned returns what the Go files below these folders, tests aside, say of a kind, each once.
func mentioned(t *testing.T, kind *regexp.Regexp, folders ...string) (all []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(path string, d os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range kind.FindAllString(string(text), -1) {
				if !seen[m] {
					seen[m] = true
					all = append(all, m)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) == 0 {
		t.Errorf("nothing of %s in %v: the search is broken", kind, folders)
	}
	return all
}
