package apidoc

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// TestPageSections: each operation of the API's description has one section on the page, with its scope, its status and the problems that it has beyond those of
// all, and its commands use it; and the page speaks of no path that is not there.
func TestPageSections(t *testing.T) {
	t.Parallel()
	p, s := readPage(t), harness.Start(t)
	all := s.Operations(t)
	common := commonProblems(t, all)
	sections := map[string]bool{}
	for _, o := range all {
		sections[o.String()] = true
		section, ok := p.sections[o.String()]
		if !ok {
			t.Errorf("the page has no section ### `%s`", o)
			continue
		}
		if line := facts(o, common); !strings.Contains(section, "\n"+line+"\n") {
			t.Errorf("the section of %s has no line\n%s", o, line)
		}
		if !uses(section, o) {
			t.Errorf("no command below ### `%s` has it done", o)
		}
	}
	for name := range p.sections {
		if !sections[name] {
			t.Errorf("the page has a section for %s, which the API does not have", name)
		}
	}
	for _, path := range pathOnPage.FindAllString(p.text, -1) {
		path = strings.TrimRight(path, ".")
		if !slices.ContainsFunc(all, func(o harness.Operation) bool { return covers(o.Path, path) }) {
			t.Errorf("the page names %s, which is no path of the API", path)
		}
	}
	for _, code := range common {
		if !strings.Contains(p.text, "`"+code+"`") {
			t.Errorf("the page does not say that every call may have the problem %s", code)
		}
	}
}

// commonProblems are those of a call without any of its own, with a body.
func commonProblems(t *testing.T, all []harness.Operation) []string {
	t.Helper()
	for _, o := range all {
		if o.String() == "POST /v1/presence/query" {
			return o.Problems
		}
	}
	t.Fatal("there is no POST /v1/presence/query")
	return nil
}

// facts is the line of a section that the description decides.
func facts(o harness.Operation, common []string) string {
	line := "No token"
	if o.Scope != "" {
		line = "Scope `" + o.Scope + "`"
	}
	line += ", status " + strings.Join(o.Success, ", ")
	own := slices.DeleteFunc(slices.Clone(o.Problems), func(code string) bool { return slices.Contains(common, code) })
	if len(own) > 0 {
		line += "; problems `" + strings.Join(own, "`, `") + "`"
	}
	return line + "."
}

// pathOnPage is a path of ours anywhere on the page.
var pathOnPage = regexp.MustCompile(`/(?:v1|problems|docs)/[a-z0-9{}$A-Z_./-]+|/(?:livez|readyz|metrics|version|openapi\.json)\b`)

// covers reports whether a path that the page names is one of the description, with anything in the place of its parameters.
func covers(described, named string) bool {
	pattern := "^" + regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(described), "[^/]+") + "$"
	return regexp.MustCompile(pattern).MatchString(named)
}

// uses reports whether a section has a command for an operation.
func uses(section string, o harness.Operation) bool {
	for _, block := range fence.FindAllStringSubmatch(section, -1) {
		if block[1] != "sh" {
			continue
		}
		for _, command := range regexp.MustCompile(`(?s)curl .*?# \d\d\d\n`).FindAllString(block[2], -1) {
			if methodOf(command) == o.Method && slices.ContainsFunc(regexp.MustCompile(`\$API(/[^ ?"']*)`).FindAllStringSubmatch(command, -1),
				func(m []string) bool { return covers(o.Path, m[1]) }) {
				return true
			}
		}
	}
	return false
}

// methodOf is the one that curl uses.
func methodOf(command string) string {
	if m := regexp.MustCompile(`-X ([A-Z]+)`).FindStringSubmatch(command); m != nil {
		return m[1]
	}
	if regexp.MustCompile(`--json|--data`).MatchString(command) {
		return "POST"
	}
	return "GET"
}
