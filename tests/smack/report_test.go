package smack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `<testsuites>
<testsuite name="XEP-0030">
 <testcase classname="a.b.Disco" name="info"/>
 <testcase classname="a.b.Disco" name="items"><failure message="Expected 'one@x.test/r-1' to get&#10; a | b"/></testcase>
</testsuite>
<testsuite name="RFC6121">
 <testcase classname="a.Roster" name="two"><skipped message="no roster"/></testcase>
 <testcase classname="a.Roster" name="one"><skipped message="no roster"/></testcase>
</testsuite>
<testsuite name=""><testcase classname="Login" name="wrong"/></testsuite>
</testsuites>`

const sampleReport = `| specification | passed | failed | not possible |
| --- | ---: | ---: | ---: |
| without one | 1 | 0 | 0 |
| RFC 6121 | 0 | 0 | 2 |
| XEP-0030 | 1 | 1 | 0 |
| all | 2 | 1 | 2 |

Failed:

| specification | tests | why |
| --- | --- | --- |
| XEP-0030 | Disco.items | Expected '...' to get a \| b |

Not possible:

| specification | tests | why |
| --- | --- | --- |
| RFC 6121 | Roster.one, Roster.two | no roster |
`

func TestReport(t *testing.T) {
	all, err := readVerdicts([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleReport, report(all)); diff != "" {
		t.Error(diff)
	}
}

func TestReplaceReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	page := func(a, b string) string {
		return "# x\n<!-- written by make a: begin -->\n" + a + "<!-- written by make a: end -->\n<!-- written by make b: begin -->\n" + b + "<!-- written by make b: end -->\nend\n"
	}
	if err := os.WriteFile(file, []byte(page("", "old\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceReport(file, "b", "new"); err != nil {
		t.Fatal(err)
	}
	if err := replaceReport(file, "c", "new"); err == nil {
		t.Error("a report without marks was written")
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page("", "\nnew\n"), string(got)); diff != "" {
		t.Error(diff)
	}
}
