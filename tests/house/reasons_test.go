package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/internal/listen"
	"signalbox/internal/push"
	"signalbox/internal/remote"
)

// reasons is docs/REASONS.md, made from the catalogues in the code.
func reasons() string {
	var b strings.Builder
	b.WriteString("# Reasons\n\nEvery way in which a connection, a session or a push can end has a name. Logs, metrics and the API use it. ")
	b.WriteString("This page is made from the code: `UPDATE=1 go test ./tests/house`.\n\n## Sessions\n\n")
	b.WriteString("| reason | stream error (RFC 6120 section 4.9.3) | comes back by itself | what happened and what to do |\n|---|---|---|---|\n")
	for _, r := range endpoint.Reasons() {
		again := "no"
		if r.Retry {
			again = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.Name, r.Condition, again, r.Doc)
	}
	b.WriteString("\n## Pushes\n\n| reason | state | what happened |\n|---|---|---|\n")
	for _, r := range push.Reasons() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.Reason, r.State, r.Doc)
	}
	b.WriteString("\n## Remote sessions\n\n| reason | another may succeed as things are | what happened and what to do |\n|---|---|---|\n")
	for _, r := range remote.Reasons() {
		again := "no"
		if r.Again {
			again = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.Name, again, r.Doc)
	}
	b.WriteString("\n## Connections that were not handed on\n\nLabel of `signalbox_listen_closed_total`.\n\n| reason | what happened |\n|---|---|\n")
	for _, r := range listen.Reasons() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", r.Reason, r.Doc)
	}
	return b.String()
}

func TestReasonsAreDocumented(t *testing.T) {
	path := filepath.Join(root, "docs", "REASONS.md")
	want := reasons()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s differs from the catalogues in the code (%v): run UPDATE=1 go test ./tests/house", path, err)
	}
}

// TestReasonsAreNamed holds the names against their form, and the catalogue against the variables: one that is missing there has no metric and no row.
func TestReasonsAreNamed(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z_]*$`)
	seen := map[string]bool{}
	for _, r := range endpoint.Reasons() {
		if !form.MatchString(r.Name) || seen[r.Name] || !strings.HasSuffix(r.Doc, ".") {
			t.Errorf("reason %q: want a name of its own in lower case and underscores, and a sentence", r.Name)
		}
		seen[r.Name] = true
	}
	source, err := os.ReadFile(filepath.Join(root, "internal/endpoint/reason.go"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), "= Reason{"); n != len(seen) {
		t.Errorf("%d reasons are declared, %d are in the catalogue", n, len(seen))
	}
}
