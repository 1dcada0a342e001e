package smack

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sample = `<testsuites smack="4.5.0-beta5 (4.4.8-507-gcaa479fac44a 2024-10-15)" java="17.0.1">
<testsuite name="XEP-0030">
 <testcase classname="a.b.Disco" name="info"/>
 <testcase classname="a.b.Disco" name="items"><failure message="Expected 'one@x.test/r-1' to get&#10; a | b"/></testcase>
 <testcase classname="a.b.Disco" name="more"><failure message="no answer"/></testcase>
</testsuite>
<testsuite name="RFC6121">
 <testcase classname="a.Roster" name="two"><skipped message="no roster"/></testcase>
 <testcase classname="a.Roster" name="one"><skipped message="no roster"/></testcase>
</testsuite>
<testsuite name=""><testcase classname="Login" name="wrong"/><testcase classname="Search" name="simple"><skipped message="no search"/></testcase></testsuite>
</testsuites>`

const sampleReport = `2026-01-02, server of commit abc1234, Smack 4.5.0-beta5 on Java 17.0.1, tests of suite-1.2.jar.

| specification | passed | failed | not possible |
| --- | ---: | ---: | ---: |
| without one | 1 | 0 | 1 |
| RFC 6121 | 0 | 0 | 2 |
| XEP-0030 | 1 | 2 | 0 |
| all | 2 | 2 | 3 |

Over STARTTLS, of the tests of logins, rosters and in-band file transfer: 1 passed, 0 failed, 0 not possible.

Failed:

| specification | test | it says | accepted because |
| --- | --- | --- | --- |
| XEP-0030 | Disco.items | Expected '...' to get a \| b | items are private |
| XEP-0030 | Disco.more | no answer | it is not |

Not possible:

| specification | tests | why |
| --- | --- | --- |
| without one | Search.simple | no search |
| RFC 6121 | Roster.one, Roster.two | no roster |
`

func TestReport(t *testing.T) {
	ran, err := readVerdicts([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	p := page{
		outcome: ran, tls: outcome{verdicts: []verdict{{test: "Login.right", found: passed}}}, accepted: map[string]string{"Disco.items": "items are private"},
		date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), server: "abc1234", jar: "/somewhere/suite-1.2.jar",
	}
	if diff := cmp.Diff(sampleReport, p.String()); diff != "" {
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
