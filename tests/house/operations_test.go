package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/certs"
	"signalbox/internal/diagnosis"
)

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCertificatePage: every mistake of a bundle has a row with the advice that the program gives.
func TestCertificatePage(t *testing.T) {
	page := readPage(t, "docs/operations/certificates.md")
	codes := regexp.MustCompile(`(?m)^\t\w+ +Code = "(\w+)"$`).FindAllStringSubmatch(readPage(t, "certs/code.go"), -1)
	if len(codes) < 30 {
		t.Fatalf("%d codes in certs/code.go", len(codes))
	}
	for _, m := range codes {
		row := regexp.MustCompile("(?m)^\\| `" + m[1] + "` \\| .+ \\| (.*) \\|$").FindStringSubmatch(page)
		if row == nil || row[1] != certs.Code(m[1]).Fix() {
			t.Errorf("certificates.md has no row of %s with its advice, %q", m[1], certs.Code(m[1]).Fix())
		}
	}
}

// TestRunbookHasEveryCode: whatever the diagnosis of an endpoint says stands in the runbook, in the row of its step.
func TestRunbookHasEveryCode(t *testing.T) {
	page := readPage(t, "docs/operations/never-green.md")
	for _, c := range diagnosis.Codes() {
		where := page
		if c.Step != "" {
			row := regexp.MustCompile("(?m)^\\| `" + string(c.Step) + "` \\|.*$").FindString(page)
			where = row
		}
		if !strings.Contains(where, "`"+c.Name+"`") {
			t.Errorf("never-green.md does not have %s at the step %q", c.Name, c.Step)
		}
	}
}

// TestAlertsAreExplained: each alert has a row in the page of alerts, and its runbook is a heading that exists.
func TestAlertsAreExplained(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "deploy/prometheus/*.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("there are no rules of alerts in deploy/prometheus")
	}
	page := readPage(t, "docs/operations/alerts.md")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(page, "`"+m[1]+"`") {
				t.Errorf("alerts.md does not explain %s", m[1])
			}
		}
		for _, m := range regexp.MustCompile(`runbook_url: \S*?(docs/\S+\.md)#(\S+)`).FindAllStringSubmatch(string(text), -1) {
			if !hasAnchor(readPage(t, m[1]), m[2]) {
				t.Errorf("%s names %s#%s, which is no heading there", file, m[1], m[2])
			}
		}
	}
}

// TestOperationsLinks: every file and heading that a page for operators names by a link is there.
func TestOperationsLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):#]*)(?:#([^)]*))?\)`)
	for _, page := range operatorPages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to := page
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(page), m[1])
			}
			there, err := os.ReadFile(to)
			if info, errStat := os.Stat(to); errStat == nil && info.IsDir() {
				continue
			}
			if err != nil || m[2] != "" && !hasAnchor(string(there), m[2]) {
				t.Errorf("%s links to %s#%s, which is not there: %v", page, to, m[2], err)
			}
		}
	}
}

// hasAnchor reports whether a page has a heading that is linked to by this name.
func hasAnchor(page, anchor string) bool {
	for line := range strings.Lines(page) {
		title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		title = strings.ToLower(strings.TrimSpace(title))
		title = regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(title, "")
		if strings.ReplaceAll(title, " ", "-") == anchor {
			return true
		}
	}
	return false
}
