package turnbench

import (
	"strings"
	"testing"

	"signalbox/tests/beside"
)

// TestReport: the quotient is that within a round, not that of the medians.
func TestReport(t *testing.T) {
	r := &beside.Results{}
	for i, ours := range []float64{3, 8, 5} {
		r.Add(Ours, "up/cpu", ours)
		r.Add(Theirs, "up/cpu", []float64{6, 8, 20}[i])
		r.Add(Ours, "other", 1)
		r.Add(Theirs, "other", 1)
	}
	got := Report(r)
	for _, want := range []string{
		"| ChannelData up, 4 flows, bursts of 32: CPU per million packets | s | 5 (3..8) | 8 (6..20) | 0.50 (0.25..1) | 1.0x | 0.6x |\n",
		"| CPU taken by everything else on the machine | cores | 1 | 1 |  |  |  |\n",
		"| allocations per second, 32 under way | 1/s | - | - |  |  |  |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report has no line\n%s\nin\n%s", want, got)
		}
	}
}
