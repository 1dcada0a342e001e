package smack

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Targets of the Makefile, as the marks in docs/INTEROP.md name them: with the framework's own tests, and with those of another build.
const (
	targetOwn  = "interop-smack"
	targetMore = "interop-smack SINT_JAR"
)

// noSpec stands for the specification of tests that name none.
const noSpec = "without one"

// page is what docs/INTEROP.md says about a target.
type page struct {
	outcome
	tls      outcome           // the run over STARTTLS; without verdicts there was none
	accepted map[string]string // reasons of failures, by test
	date     time.Time
	server   string // commit
	jar      string // file that has the tests; empty for those of the framework itself
}

// String returns the page in Markdown: what was run, figures per specification, then what did not pass and why.
func (p page) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, server of commit %s, Smack %s on Java %s", p.date.Format(time.DateOnly), p.server, p.smack, p.java)
	if p.jar != "" {
		fmt.Fprintf(&b, ", tests of %s", filepath.Base(p.jar))
	}
	b.WriteString(".\n\n")
	writeCounts(&b, p.verdicts)
	if len(p.tls.verdicts) > 0 {
		sum := count(p.tls.verdicts)
		fmt.Fprintf(&b, "\nOver STARTTLS, of the tests of logins, rosters and in-band file transfer: %d passed, %d failed, %d not possible.\n", sum[passed], sum[failed], sum[skipped])
	}
	p.writeFailures(&b)
	writeReasons(&b, p.verdicts)
	return b.String()
}

// count counts verdicts by what was found.
func count(all []verdict) (sum [3]int) {
	for _, v := range all {
		sum[v.found]++
	}
	return sum
}

// writeCounts writes the figures per specification.
func writeCounts(b *strings.Builder, all []verdict) {
	bySpec := map[string][]verdict{}
	for _, v := range all {
		bySpec[v.spec] = append(bySpec[v.spec], v)
	}
	b.WriteString("| specification | passed | failed | not possible |\n| --- | ---: | ---: | ---: |\n")
	line := func(name string, sum [3]int) {
		fmt.Fprintf(b, "| %s | %d | %d | %d |\n", name, sum[passed], sum[failed], sum[skipped])
	}
	for _, spec := range slices.Sorted(maps.Keys(bySpec)) {
		line(cmp.Or(spec, noSpec), count(bySpec[spec]))
	}
	line("all", count(all))
}

// writeFailures lists the tests that failed, what they said and why that is accepted.
func (p page) writeFailures(b *strings.Builder) {
	if count(p.verdicts)[failed] == 0 {
		return
	}
	b.WriteString("\nFailed:\n\n| specification | test | it says | accepted because |\n| --- | --- | --- | --- |\n")
	for _, v := range p.verdicts {
		if v.found == failed {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", cmp.Or(v.spec, noSpec), v.test, v.why, cmp.Or(p.accepted[v.test], "it is not"))
		}
	}
}

// writeReasons lists the tests that were not possible, one line for those of one specification that say the same.
func writeReasons(b *strings.Builder, all []verdict) {
	type reason struct{ spec, why string }
	var order []reason
	tests := map[reason][]string{}
	for _, v := range all {
		if v.found != skipped {
			continue
		}
		r := reason{v.spec, v.why}
		if tests[r] == nil {
			order = append(order, r)
		}
		tests[r] = append(tests[r], v.test)
	}
	if len(order) == 0 {
		return
	}
	b.WriteString("\nNot possible:\n\n| specification | tests | why |\n| --- | --- | --- |\n")
	for _, r := range order {
		fmt.Fprintf(b, "| %s | %s | %s |\n", cmp.Or(r.spec, noSpec), shortList(tests[r]), r.why)
	}
}

// shortList names up to three tests and counts the rest.
func shortList(tests []string) string {
	const most = 3
	if len(tests) <= most {
		return strings.Join(tests, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(tests[:most], ", "), len(tests)-most)
}

// replaceReport puts a report between the marks that name has in a file.
func replaceReport(file, name, report string) error {
	begin, end := "<!-- written by make "+name+": begin -->\n", "<!-- written by make "+name+": end -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no marks for %s", file, name)
	}
	return os.WriteFile(file, []byte(before+begin+"\n"+report+"\n"+end+after), 0o644)
}
