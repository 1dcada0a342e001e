package stores

import (
	"strings"
	"testing"

	"signalbox/tests/beside"
)

// TestReport: the quotient is that within a round, not that of the medians.
func TestReport(t *testing.T) {
	r := &beside.Results{}
	for i, ours := range []float64{300, 800, 500} {
		r.Add(Ours, "push/256/rate", ours)
		r.Add(Theirs, "push/256/rate", []float64{100, 200, 250}[i])
		r.Add(Ours, "other", 1)
		r.Add(Theirs, "other", 1)
	}
	got := Report(r)
	for _, want := range []string{
		"| durable pushes, 256 callers | 1/s | 500 (300..800) | 200 (100..250) | 3 (2..4) | 2.5x | 6x |\n",
		"| CPU taken by everything else on the machine | cores | 1 | 1 |  |  |  |\n",
		"| acknowledgements, 256 callers | 1/s | - | - |  |  |  |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report has no line\n%s\nin\n%s", want, got)
		}
	}
}
