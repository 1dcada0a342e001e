package tests

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// example is a command of a page with the answer that stands below it.
var example = regexp.MustCompile("(?s)```sh\n(.*?)```\n```[a-z]+\n(.*?)```\n")

// TestTigasePage runs every command of docs/TIGASE.md in its order and holds the answers against those that the page shows.
func TestTigasePage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	page, err := os.ReadFile("../docs/TIGASE.md")
	if err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, tigase)
	found := example.FindAllStringSubmatch(string(page), -1)
	if want := strings.Count(string(page), "```sh\n"); len(found) < 8 || len(found) != want {
		t.Fatalf("%d commands with answers, of %d", len(found), want)
	}
	for _, f := range found {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", f[1])
		cmd.Env = append(os.Environ(), "URL="+s.URL(), "KEY="+s.Token, "DOMAIN="+harness.Domain)
		got, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s%v: %s", f[1], err, got)
		}
		want := strings.ReplaceAll(strings.TrimSpace(f[2]), "$DOMAIN", harness.Domain)
		pattern := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`, ".*") + "$"
		if !regexp.MustCompile(pattern).Match(got) {
			t.Errorf("%s\n got %s\nwant %s", f[1], got, want)
		}
	}
}
