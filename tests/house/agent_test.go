package house

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox/internal/agent"
	"signalbox/internal/agent/ladder"
)

// agentKeys is the table of the agent's configuration, made from the tags.
func agentKeys() string {
	var b strings.Builder
	b.WriteString("| key | default | what it means |\n|---|---|---|\n")
	writeKeys(&b, "", reflect.ValueOf(agent.Default()))
	writeKeys(&b, "handlers.TYPE.", reflect.ValueOf(agent.Handler{Timeout: agent.DefaultTimeout}))
	return b.String()
}

func writeKeys(b *strings.Builder, prefix string, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key := prefix + field.Tag.Get("key")
		if field.Type.Kind() == reflect.Struct {
			writeKeys(b, key+".", v.Field(i))
			continue
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", key, shown(v.Field(i).Interface()), strings.ReplaceAll(field.Tag.Get("doc"), "|", "\\|"))
	}
}

// shown writes a default as the file has it; nothing for what has none.
func shown(value any) string {
	switch v := value.(type) {
	case time.Duration:
		return "`" + regexp.MustCompile(`([hm])0[ms](0s)?$`).ReplaceAllString(v.String(), "$1") + "`"
	case bool, int:
		return fmt.Sprintf("`%v`", v)
	case string:
		if v != "" {
			return "`" + v + "`"
		}
	}
	return ""
}

// agentCodes is the table of the ways in which the agent fails to reach its server.
func agentCodes() string {
	var b strings.Builder
	b.WriteString("| step | code | what happened | what to do |\n|---|---|---|---|\n")
	for _, r := range ladder.Reasons() {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", r.Step, r.Code, r.Text, r.Action)
	}
	return b.String()
}

// between replaces what stands between the two marks of a name.
func between(t *testing.T, text, name, table string) string {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	i, j := strings.Index(text, begin), strings.Index(text, end)
	if i < 0 || j < i {
		t.Fatalf("docs/AGENT.md has no place for %s", name)
	}
	return text[:i+len(begin)] + table + text[j:]
}

func TestAgentPage(t *testing.T) {
	path := filepath.Join(root, "docs", "AGENT.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := between(t, between(t, string(text), "keys", agentKeys()), "codes", agentCodes())
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("%s differs from the code: run UPDATE=1 go test ./tests/house", path)
	}
}

// TestLadderIsComplete holds the codes against their form, and the catalogue against the variables.
func TestLadderIsComplete(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	seen := map[string]bool{}
	height := 0
	for _, r := range ladder.Reasons() {
		if !form.MatchString(r.Code) || seen[r.Code] || !strings.HasSuffix(r.Action, ".") || !strings.HasSuffix(r.Text, ".") {
			t.Errorf("reason %q: want a code of its own in lower case and underscores, and two sentences", r.Code)
		}
		if r.Step.Height() < height {
			t.Errorf("reason %q stands behind those of a later step", r.Code)
		}
		height = r.Step.Height()
		seen[r.Code] = true
	}
	source, err := os.ReadFile(filepath.Join(root, "internal/agent/ladder/reason.go"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), "= Reason{"); n != len(seen) {
		t.Errorf("%d reasons are declared, %d are in the catalogue", n, len(seen))
	}
}
