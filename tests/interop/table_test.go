package interop

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	page       = "../../docs/INTEROP.md"
	tableBegin = "<!-- table: written by make interop-table -->"
	tableEnd   = "<!-- end of table -->"
)

// document writes the table into the page when INTEROP_WRITE=1, and otherwise compares its cells with what came out. Footnotes and versions are not compared:
// versions change with every update of a package.
func document(t *testing.T, results map[string]map[string]cell) {
	t.Helper()
	if t.Failed() {
		return
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	old, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no markers %q and %q", page, tableBegin, tableEnd)
	}
	if os.Getenv("INTEROP_WRITE") == "1" {
		if len(results) != len(clients) {
			t.Fatalf("the table is written with all clients alone; here are %d of %d", len(results), len(clients))
		}
		if err := os.WriteFile(page, []byte(before+tableBegin+"\n\n"+table(results)+"\n"+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, got := map[string]bool{}, okCells(old)
	for _, c := range clients {
		if results[c.name] == nil {
			continue
		}
		for _, f := range features {
			want[f.name+" / "+c.name] = results[c.name][f.name].ok
		}
	}
	for name := range got {
		if _, ran := want[name]; !ran {
			if _, name, _ := strings.Cut(name, " / "); results[name] != nil {
				t.Errorf("%s has a cell for %q, which the suite does not know", page, name)
			}
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s differs from what came out (-came out, +page), run make interop-table:\n%s", page, diff)
	}
}

// okCells reads the table of features: "feature / client" and whether it is ok.
func okCells(text string) map[string]bool {
	cells := map[string]bool{}
	var head []string
	for _, l := range strings.Split(text, "\n") {
		if !strings.HasPrefix(l, "|") {
			head = nil
			continue
		}
		row := strings.Split(strings.Trim(l, "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		switch {
		case head == nil:
			head = row
		case head[0] != "feature" || strings.HasPrefix(row[0], "---"):
		default:
			for i, c := range row[1:] {
				cells[row[0]+" / "+head[i+1]] = c == "ok"
			}
		}
	}
	return cells
}

func table(results map[string]map[string]cell) string {
	var b strings.Builder
	b.WriteString("| client | version | from |\n|---|---|---|\n")
	for _, c := range clients {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.name, c.version(), c.origin)
	}
	b.WriteString("\n| feature |")
	for _, c := range clients {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(clients)) + "\n")
	var notes []string
	number := map[string]int{}
	for _, f := range features {
		fmt.Fprintf(&b, "| %s |", f.name)
		for _, c := range clients {
			if results[c.name][f.name].ok {
				b.WriteString(" ok |")
				continue
			}
			_, why := expected(c, f)
			if number[why] == 0 {
				notes = append(notes, why)
				number[why] = len(notes)
			}
			fmt.Fprintf(&b, " no [%d] |", number[why])
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for i, why := range notes {
		fmt.Fprintf(&b, "%d. %s\n", i+1, why)
	}
	return b.String()
}
