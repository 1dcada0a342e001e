package turnbench

import (
	"context"
	"fmt"
	"strings"

	"signalbox/tests/beside"
)

// ratioKey is under what the quotients of the rounds are kept beside the values.
const ratioKey = "ratio"

// Report is the table of all measures, in Markdown: medians, smallest and largest value, and the quotients within the rounds.
func Report(r *beside.Results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| measure | unit | %[1]s | %[2]s | %[1]s / %[2]s | must | aim |\n| --- | --- | ---: | ---: | ---: | --- | --- |\n", Ours, Theirs)
	quotients := quotients(r)
	for _, m := range rows() {
		quotient := ""
		if _, ok := quotients.Median(ratioKey, m.key); ok {
			quotient = quotients.Cell(ratioKey, m.key)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", m.what, m.unit, r.Cell(Ours, m.key), r.Cell(Theirs, m.key), quotient, m.must, m.aim)
	}
	return b.String()
}

// quotients divides our value by theirs of the same round.
func quotients(r *beside.Results) *beside.Results {
	q := &beside.Results{}
	for _, m := range rows() {
		theirs := r.Values(Theirs, m.key)
		for i, ours := range r.Values(Ours, m.key) {
			if m.compared && i < len(theirs) && theirs[i] > 0 {
				q.Add(ratioKey, m.key, ours/theirs[i])
			}
		}
	}
	return q
}

// Machine says in one paragraph where and when the figures come from.
func Machine(ctx context.Context, scale Scale) string {
	return fmt.Sprintf("%s; %s %s, %s %s; %d round(s).\n\n", beside.Machine(ctx), Ours, beside.Revision(ctx), Theirs, beside.PackageVersion(ctx, coturnPackage), scale.Rounds)
}
