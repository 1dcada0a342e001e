package api

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestPageTables: docs/API.md has every kind of problem and every type of event, in the order of the code.
func TestPageTables(t *testing.T) {
	page, err := os.ReadFile("../../docs/API.md")
	if err != nil {
		t.Fatal(err)
	}
	table := "| status | code | what it is | what to do |\n|---|---|---|---|\n"
	for _, k := range catalogue() {
		table += fmt.Sprintf("| %d | `%s` | %s | %s |\n", k.status, k.code, k.title, k.advice)
	}
	if !strings.Contains(string(page), "\n"+table+"\n") {
		t.Errorf("API.md lacks this table:\n%s", table)
	}
	var shown []string
	for line := range strings.Lines(string(page)) {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); ok && strings.HasPrefix(line, "| `") && strings.Contains(name, ".") {
			shown = append(shown, name)
		}
	}
	if got, want := strings.Join(shown, ", "), typesDoc(); got != want {
		t.Errorf("API.md has the types of events %s\nwant %s", got, want)
	}
}
