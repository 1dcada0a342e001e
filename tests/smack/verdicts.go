package smack

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What a test found.
const (
	passed = iota
	failed
	skipped // could not be run on this server, which is no fault
)

// verdict is what one test of the framework found.
type verdict struct {
	spec  string // RFC 6121 or XEP-0030; empty for tests that name none
	test  string // Class.method
	found int
	why   string // of a failure or a skip
}

// outcome is what one run of the framework found, and by which versions.
type outcome struct {
	smack, java string
	verdicts    []verdict // by specification, then by test
}

// readVerdicts reads JUnit XML as Verdicts.java writes it.
func readVerdicts(text []byte) (outcome, error) {
	var file struct {
		Smack  string `xml:"smack,attr"`
		Java   string `xml:"java,attr"`
		Suites []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Class   string `xml:"classname,attr"`
				Name    string `xml:"name,attr"`
				Failure *note  `xml:"failure"`
				Skipped *note  `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &file); err != nil {
		return outcome{}, fmt.Errorf("read verdicts: %w", err)
	}
	var all []verdict
	for _, s := range file.Suites {
		for _, c := range s.Cases {
			v := verdict{spec: specName(s.Name), test: c.Class[strings.LastIndexByte(c.Class, '.')+1:] + "." + c.Name}
			switch {
			case c.Failure != nil:
				v.found, v.why = failed, plainReason(c.Failure.Message)
			case c.Skipped != nil:
				v.found, v.why = skipped, plainReason(c.Skipped.Message)
			}
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b verdict) int { return cmp.Or(cmp.Compare(a.spec, b.spec), cmp.Compare(a.test, b.test)) })
	smack, _, _ := strings.Cut(file.Smack, " ") // then the commit and its date, in parentheses
	return outcome{smack: smack, java: file.Java, verdicts: all}, nil
}

// note is the element that says why a test did not pass.
type note struct {
	Message string `xml:"message,attr"`
}

var spelledSpec = regexp.MustCompile(`(?i)^(RFC|XEP)[ -]?([0-9]{4})$`)

// specName gives a specification one spelling: tests write XEP-0030, XEP0030, RFC6121.
func specName(s string) string {
	m := spelledSpec.FindStringSubmatch(strings.TrimSpace(s))
	switch {
	case m == nil:
		return strings.TrimSpace(s)
	case strings.EqualFold(m[1], "rfc"):
		return "RFC " + m[2]
	default:
		return "XEP-" + m[2]
	}
}

var (
	quoted = regexp.MustCompile(`'[^']*[@/][^']*'|\S+@\S+`)
	spaces = regexp.MustCompile(`\s+`)
)

// plainReason makes a reason the same in every run: addresses have random names, and a table has no lines.
func plainReason(s string) string {
	s = spaces.ReplaceAllString(quoted.ReplaceAllString(s, "'...'"), " ")
	const most = 240
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + " ..."
	}
	return strings.ReplaceAll(s, "|", `\|`)
}
