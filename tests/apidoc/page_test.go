package apidoc

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// page is docs/API.md, taken apart.
type page struct {
	text     string
	examples []example
	sections map[string]string // the text below each heading that names an operation, such as GET /v1/events
}

// example is a block of commands, with what stands below it: what they print.
type example struct {
	line     int // of the page
	commands string
	answer   string // empty: none is shown
	raw      bool   // the answer is no JSON: white space counts
}

// fence is a block of the page that follows another or not.
var (
	fence   = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```\n")
	heading = regexp.MustCompile("(?m)^### `([A-Z]+ /[^`]*)`$")
)

func readPage(t *testing.T) page {
	t.Helper()
	text, err := os.ReadFile("../../docs/API.md")
	if err != nil {
		t.Fatal(err)
	}
	p := page{text: string(text), sections: map[string]string{}}
	end := -1 // of the last commands
	for _, at := range fence.FindAllStringSubmatchIndex(p.text, -1) {
		kind, body := p.text[at[2]:at[3]], p.text[at[4]:at[5]]
		switch {
		case kind == "sh":
			p.examples = append(p.examples, example{line: strings.Count(p.text[:at[0]], "\n") + 1, commands: body})
			end = at[1]
		case at[0] == end:
			last := &p.examples[len(p.examples)-1]
			last.answer, last.raw = body, kind != "json"
		}
	}
	for _, at := range heading.FindAllStringSubmatchIndex(p.text, -1) {
		name, rest := p.text[at[2]:at[3]], p.text[at[1]:]
		if next := regexp.MustCompile("(?m)^##").FindStringIndex(rest); next != nil {
			rest = rest[:next[0]]
		}
		if _, twice := p.sections[name]; twice {
			t.Errorf("two sections are for %s", name)
		}
		p.sections[name] = rest
	}
	return p
}

// status is the one that a command of the page ends with.
var status = regexp.MustCompile(`(?m)# (\d\d\d)$`)

// statuses returns what the commands of an example are answered with, as the page says.
func (e example) statuses() (all []string) {
	for _, m := range status.FindAllStringSubmatch(e.commands, -1) {
		all = append(all, m[1])
	}
	return all
}

// matches reports whether an answer is the one that the page shows, where ... stands for anything and the white space of JSON for nothing.
func (e example) matches(got string) bool {
	want := e.answer
	if !e.raw {
		want = compact(want)
	}
	pattern := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), `\.\.\.`, ".*") + "$"
	return regexp.MustCompile(pattern).MatchString(strings.TrimSpace(strings.ReplaceAll(got, "\r\n", "\n")))
}

// compact takes the white space out of JSON that is shown with ... for what was left out.
func compact(text string) string {
	var b strings.Builder
	quoted, escaped := false, false
	for _, r := range text {
		if quoted || !strings.ContainsRune(" \n", r) {
			b.WriteRune(r)
		}
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = quoted
		case r == '"':
			quoted = !quoted
		}
	}
	return b.String()
}
