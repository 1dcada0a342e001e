package tests

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"signalbox/internal/client"
	"signalbox/tests/harness"
	"signalbox/turn/turntest"
)

// pageOfMetrics returns what a server shows of itself.
func pageOfMetrics(t *testing.T, s *harness.Server) string {
	t.Helper()
	resp, err := http.Get(s.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// relaying makes an allocation in a session of its own and returns what could name who made it.
func relaying(t *testing.T, s *harness.Server) (names []string) {
	t.Helper()
	c, err := client.New(s.URL(), s.Token, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	made, err := c.OpenTURNSession(t.Context(), client.NewTURNSession{TTL: 60, Technician: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	turn, err := turntest.Dial("udp", s.Addr("turn_udp"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = turn.Close() }) // a datagram socket holds nothing back
	if _, err := turn.As(made.Sides.A.Username, made.Sides.A.Credential).Allocate(); err != nil {
		t.Fatal(err)
	}
	return []string{made.ID, made.Sides.A.Username, `"ann"`, turn.LocalAddr().String()}
}

// TestMetricNames holds every metric of a running server, which relays, against the naming rule, and looks for labels that could name a person or a machine.
func TestMetricNames(t *testing.T) {
	s := harness.StartTURN(t)
	names := relaying(t, s)
	var text string
	harness.Await(t, func() bool { // the TURN process is asked, or shows what it said last
		text = pageOfMetrics(t, s)
		return strings.Contains(text, "\nsignalbox_turn_open_allocations 1\n")
	}, func() string { return "no allocation in\n" + text })
	name := regexp.MustCompile(`^signalbox_(access|api|app|audit|certs|component|console|endpoint|enrolment|events|listen|push|relay|remote|store|technician|telemetry|turn|turnsession|webhook|websocket|xmpp)_[a-z0-9_]+$`)
	ours := 0
	for line := range strings.Lines(text) {
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
	if label := regexp.MustCompile(`(jid|endpoint_id|user|username|token|session|peer|technician)="`).FindString(text); label != "" {
		t.Errorf("label %s can name an endpoint or a caller", label)
	}
	for _, n := range names {
		if strings.Contains(text, n) {
			t.Errorf("the metrics say %s", n)
		}
	}
}
