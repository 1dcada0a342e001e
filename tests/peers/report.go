package peers

import (
	"context"
	"fmt"
	"strings"

	"signalbox/tests/beside"
)

// Target is the make target whose report stands in docs/BENCHMARKS.md.
const Target = "bench-peers"

// Report is the table of all measures, in Markdown: medians, smallest and largest value, and what the others need for one of ours.
func Report(r *beside.Results, servers []Server) string {
	var b strings.Builder
	head, line := "| measure | unit |", "| --- | --- |"
	for i, s := range servers {
		head, line = head+" "+s.Name+" |", line+" ---: |"
		if i > 0 {
			head, line = head+" / "+servers[0].Name+" |", line+" ---: |"
		}
	}
	b.WriteString(head + " must | aim |\n" + line + " --- | --- |\n")
	for _, m := range rows() {
		fmt.Fprintf(&b, "| %s | %s |", m.what, m.unit)
		ours, measured := r.Median(servers[0].Name, m.key)
		for i, s := range servers {
			b.WriteString(" " + cell(r, s.Name, m.key) + " |")
			if i > 0 {
				theirs, ok := r.Median(s.Name, m.key)
				b.WriteString(" " + ratio(theirs, ours, ok && measured && m.compared()) + " |")
			}
		}
		fmt.Fprintf(&b, " %s | %s |\n", m.must, m.aim)
	}
	return b.String()
}

// compared tells costs of the servers from what describes the measurement.
func (m row) compared() bool {
	return m.key != "failed" && m.key != "other" && m.key != "disk/sync" && m.key != "storm/again" && !strings.HasPrefix(m.key, "client/")
}

// cell is the median with the range, or a dash; of failures it is the sum.
func cell(r *beside.Results, server, key string) string {
	if _, ok := r.Median(server, key); !ok || key != "failed" {
		return r.Cell(server, key)
	}
	var sum float64
	for _, v := range r.Values(server, key) {
		sum += v
	}
	return beside.Figure(sum)
}

func ratio(theirs, ours float64, ok bool) string {
	if !ok || ours <= 0 {
		return ""
	}
	return beside.Figure(theirs/ours) + "x"
}

// Machine says in one paragraph where and when the figures come from.
func Machine(ctx context.Context, servers []Server, scale Scale) string {
	var versions []string
	for _, s := range servers {
		v := beside.Revision(ctx)
		if s.Package != "" {
			v = beside.PackageVersion(ctx, s.Package)
		}
		versions = append(versions, s.Name+" "+v)
	}
	return fmt.Sprintf("%s; %s; %d round(s).\n\n", beside.Machine(ctx), strings.Join(versions, ", "), scale.Rounds)
}
