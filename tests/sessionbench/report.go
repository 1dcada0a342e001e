package sessionbench

import (
	"context"
	"fmt"
	"strings"

	"signalbox/tests/beside"
)

// row is one line of the table.
type row struct {
	key, what, unit string
	must            float64 // 0: nothing is demanded
	least           bool    // what is demanded is the smallest value that will do, not the largest
}

var rows = []row{
	{key: "click/direct", what: "from the click on Connect to the first text in the terminal, in a browser: directly", unit: "ms", must: 300},
	{key: "click/turn", what: "... through TURN alone", unit: "ms", must: 500},
	{key: "click/first", what: "... directly, the first click since the browser was started", unit: "ms"},
	{key: "terminal/direct", what: "from the wish for a session to the first byte of its terminal, by a program: directly", unit: "ms", must: 300},
	{key: "terminal/turn", what: "... through TURN alone", unit: "ms", must: 500},
	{key: "terminal/relay", what: "... over the relay alone", unit: "ms"},
	{key: "upload", what: "file to the endpoint, over the relay", unit: "MB/s", must: 200, least: true},
	{key: "download", what: "file from the endpoint, over the relay", unit: "MB/s", must: 200, least: true},
	{key: "stalled/rss", what: "memory of the server per download whose reader stalls: RSS", unit: "KiB"},
	{key: "rss", what: "... whole process tree then", unit: "MiB"},
}

// demand is what a row must reach, as the table has it; empty: nothing.
func (r row) demand() string {
	if r.must == 0 {
		return ""
	}
	return fmt.Sprintf("%g %s", r.must, r.unit)
}

// misses reports whether a value is not what the row demands.
func (r row) misses(v float64) bool {
	switch {
	case r.must == 0:
		return false
	case r.least:
		return v < r.must
	}
	return v > r.must
}

// Report is the table in Markdown: medians, smallest and largest value.
func Report(r *beside.Results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| measure | unit | %s | must |\n| --- | --- | ---: | --- |\n", Ours)
	for _, m := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.what, m.unit, r.Cell(Ours, m.key), m.demand())
	}
	return b.String()
}

// Missed has a line for each must that a median misses.
func Missed(r *beside.Results) (lines []string) {
	for _, m := range rows {
		if v, ok := r.Median(Ours, m.key); ok && m.misses(v) {
			lines = append(lines, fmt.Sprintf("MUST MISSED: %s: %s %s, must be %s", m.key, beside.Figure(v), m.unit, m.demand()))
		}
	}
	return lines
}

// Machine says in one paragraph where and when the figures come from.
func Machine(ctx context.Context, scale Scale) string {
	return fmt.Sprintf("%s; %s %s; %d round(s).\n\n", beside.Machine(ctx), Ours, beside.Revision(ctx), scale.Rounds)
}
