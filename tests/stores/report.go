package stores

import (
	"context"
	"fmt"
	"strings"

	"signalbox/tests/beside"
)

// row is one measure: a line of the table.
type row struct {
	key, what, unit string
	must, aim       string // of the specification; empty: it names none
}

// rows returns all measures in the order of the table.
func rows() (all []row) {
	callers := []string{"1", "64", "256", "1024"}
	for _, n := range callers {
		must, aim := "", ""
		if n == "256" {
			must, aim = "2.5x", "6x"
		}
		key := "push/" + n
		all = append(all, row{key + "/rate", "durable pushes, " + counted(n, "caller"), "1/s", must, aim})
		all = append(all, latencies(key)...)
		all = append(all, row{key + "/cpu", "... CPU per push, all processes of the side", "us", "", ""},
			row{key + "/own", "... CPU per push in our process: the store, or the driver", "us", "", ""})
	}
	all = append(all, row{"ack/rate", "acknowledgements, 256 callers", "1/s", "", ""})
	all = append(all, latencies("ack")...)
	all = append(all, row{"ack/cpu", "... CPU per acknowledgement, all processes of the side", "us", "", ""})
	for _, n := range []string{"1", "64"} {
		key := "read/" + n
		all = append(all, row{key + "/rate", "reads of the 10 pushes that wait for one endpoint, " + counted(n, "reader"), "1/s", "", ""})
		all = append(all, latencies(key)...)
	}
	return append(all,
		row{"grown/pushes", "accepted, sent and acknowledged, nothing deleted", "pushes", "", ""},
		row{"grown/size", "... size of the database", "MiB", "", ""},
		row{"grown/each", "... per push", "B", "", ""},
		row{"forget/size", "... size after all of them were deleted", "MiB", "", ""},
		row{"again/size", "... size after a fifth as many again", "MiB", "", ""},
		row{"disk/sync", "one write of 4 KiB with fsync, before each turn", "ms", "", ""},
		row{"other", "CPU taken by everything else on the machine", "cores", "", ""},
	)
}

func counted(n, what string) string {
	if n != "1" {
		what += "s"
	}
	return n + " " + what
}

func latencies(key string) []row {
	return []row{{key + "/p50", "... half of them within", "ms", "", ""}, {key + "/p99", "... 99 % within", "ms", "", ""}}
}

// compared tells what the sides do from what describes the measurement.
func (m row) compared() bool {
	switch m.key {
	case "grown/pushes", "disk/sync", "other":
		return false
	}
	return !strings.HasSuffix(m.key, "/own")
}

// ratioKey is under what the quotients of the rounds are kept beside the values.
const ratioKey = "ratio"

// Report is the table of all measures, in Markdown: medians, smallest and largest value, and the quotients within the rounds.
func Report(r *beside.Results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| measure | unit | %[1]s | %[2]s | %[1]s / %[2]s | must | aim |\n| --- | --- | ---: | ---: | ---: | --- | --- |\n", Ours, Theirs)
	quotients := quotients(r)
	for _, m := range rows() {
		quotient := ""
		if _, ok := quotients.Median(ratioKey, m.key); ok && m.compared() {
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
			if i < len(theirs) && theirs[i] > 0 {
				q.Add(ratioKey, m.key, ours/theirs[i])
			}
		}
	}
	return q
}

// Machine says in one paragraph where and when the figures come from.
func Machine(ctx context.Context, scale Scale) string {
	return fmt.Sprintf("%s; %s %s, %s %s; %d round(s).\n\n", beside.Machine(ctx), Ours, beside.Revision(ctx), Theirs, beside.PackageVersion(ctx, packageName), scale.Rounds)
}
