package smack

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// report is what docs/INTEROP.md says about a run, in Markdown: figures per specification, then what did not pass and why.
func report(all []verdict) string {
	var b strings.Builder
	counts := map[string]*[3]int{}
	var sum [3]int
	for _, v := range all {
		if counts[v.spec] == nil {
			counts[v.spec] = &[3]int{}
		}
		counts[v.spec][v.found]++
		sum[v.found]++
	}
	b.WriteString("| specification | passed | failed | not possible |\n| --- | ---: | ---: | ---: |\n")
	for _, spec := range slices.Sorted(maps.Keys(counts)) {
		name := spec
		if name == "" {
			name = "without one"
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", name, counts[spec][passed], counts[spec][failed], counts[spec][skipped])
	}
	fmt.Fprintf(&b, "| all | %d | %d | %d |\n", sum[passed], sum[failed], sum[skipped])
	writeReasons(&b, "Failed", failed, all)
	writeReasons(&b, "Not possible", skipped, all)
	return b.String()
}

// writeReasons lists the tests that found this, one line for those of one specification that say the same.
func writeReasons(b *strings.Builder, title string, found int, all []verdict) {
	type reason struct{ spec, why string }
	var order []reason
	tests := map[reason][]string{}
	for _, v := range all {
		if v.found != found {
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
	fmt.Fprintf(b, "\n%s:\n\n| specification | tests | why |\n| --- | --- | --- |\n", title)
	for _, r := range order {
		fmt.Fprintf(b, "| %s | %s | %s |\n", r.spec, shortList(tests[r]), r.why)
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
