package peers

import (
	"strings"
	"testing"

	"signalbox/tests/beside"
)

func TestReport(t *testing.T) {
	r := &beside.Results{}
	for _, v := range []float64{0.5, 0.7, 0.6} {
		r.Add("Signalbox", "login/cpu", v)
		r.Add("ejabberd", "login/cpu", 2*v)
		r.Add("ejabberd", "failed", 1)
	}
	got := Report(r, Servers())
	for _, want := range []string{
		"| CPU per login (TLS, SCRAM-SHA-256, bind) | ms | 0.60 (0.50..0.70) | 1.20 (1..1.40) | 2x | - |  | 1.2 ms | 0.8 ms |\n",
		"| lost, doubled or disordered stanzas, failed logins, lost sessions |  | - | 3 |  | - |  | 0 | 0 |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report has no line\n%s\nin\n%s", want, got)
		}
	}
}
