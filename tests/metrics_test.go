package tests

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// TestMetricNames holds every metric of a running server against the naming rule, and looks for labels that could name a person or a machine.
func TestMetricNames(t *testing.T) {
	s := harness.Start(t)
	resp, err := http.Get(s.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^signalbox_(access|api|app|audit|certs|component|console|endpoint|enrolment|events|listen|push|relay|remote|store|technician|telemetry|turn|turnsession|webhook|websocket|xmpp)_[a-z0-9_]+$`)
	ours := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] != "#" || fields[1] != "TYPE" {
			continue
		}
		metric, typ := fields[2], fields[3]
		if strings.HasPrefix(metric, "go_") || strings.HasPrefix(metric, "process_") || strings.HasPrefix(metric, "promhttp_") {
			continue
		}
		ours++
		if !name.MatchString(metric) {
			t.Errorf("metric %s: want signalbox_<package>_<what>_<unit>", metric)
		}
		if (typ == "counter") != strings.HasSuffix(metric, "_total") {
			t.Errorf("metric %s is a %s: counters, and they alone, end in _total", metric, typ)
		}
	}
	if ours < 20 {
		t.Errorf("%d metrics of our own, want at least 20:\n%s", ours, text)
	}
	if label := regexp.MustCompile(`(jid|endpoint_id|user|token)="`).FindString(string(text)); label != "" {
		t.Errorf("label %s can name an endpoint or a caller", label)
	}
}
