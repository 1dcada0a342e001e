package observe

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

const head = `# Metrics

What ` + "`GET /metrics`" + ` of ` + "`listen.api`" + ` shows, in Prometheus' text format, without a token. The TURN process has no page of its own: its metrics stand on the page of the server that it works for. The agent
has none; what it does shows here and in ` + "`signalbox-agent status`" + `.

Names are ` + "`signalbox_<package>_<what>_<unit>`" + `; no label names an endpoint, a technician or a session. ` + "`deploy/prometheus`" + ` has alerts, each with a link to [OPERATIONS.md](OPERATIONS.md), and ` + "`deploy/grafana`" + ` dashboards
with what Grafana needs to find them. The reasons in labels stand in [REASONS.md](REASONS.md). Counters begin with 0 when the server starts, those of TURN when its process does.

This page is made from a running server: ` + "`UPDATE=1 go test ./tests/observe`" + `.
`

// page is docs/METRICS.md, made from the metrics of a server.
func page(all map[string]*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString(head)
	last := ""
	for _, name := range slices.SortedFunc(maps.Keys(all), byGroup) {
		if g := group(name); g != last {
			fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n", g)
			last = g
		}
		f := all[name]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, strings.ToLower(f.GetType().String()), quoted(labels(f)), unit(name), strings.ReplaceAll(f.GetHelp(), "|", "\\|"))
	}
	return b.String()
}

// group is the package that a metric is about; those of the process and of the Go runtime come last.
func group(name string) string {
	if rest, ours := strings.CutPrefix(name, "signalbox_"); ours {
		pkg, _, _ := strings.Cut(rest, "_")
		return pkg
	}
	return "The process"
}

func byGroup(a, b string) int {
	ours := func(s string) string {
		if strings.HasPrefix(s, "signalbox_") {
			return "0" + s
		}
		return "1" + s
	}
	return strings.Compare(ours(a), ours(b))
}

func quoted(names []string) string {
	for i, n := range names {
		names[i] = "`" + n + "`"
	}
	return strings.Join(names, ", ")
}

// unit is what a metric's name says of its unit; most count things, which the name says, too.
func unit(name string) string {
	name = strings.TrimSuffix(name, "_total")
	for _, u := range []struct{ suffix, unit string }{
		{"_timestamp_seconds", "seconds since 1970"}, {"_time_seconds", "seconds since 1970"}, {"_seconds", "seconds"}, {"_bytes", "bytes"}, {"_percent", "percent"}, {"_info", "1"},
	} {
		if strings.HasSuffix(name, u.suffix) {
			return u.unit
		}
	}
	return "count"
}

// TestMetricsPage: docs/METRICS.md has every metric that a running server shows, and no other.
func TestMetricsPage(t *testing.T) {
	want := page(families(t, scrape(t, lively(t))))
	path := filepath.Join(root, "docs", "METRICS.md")
	if os.Getenv("UPDATE") != "" {
		must(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	must(t, err)
	if string(got) == want {
		return
	}
	for name := range onPage(t) {
		if !strings.Contains(want, "\n| `"+name+"` |") {
			t.Errorf("docs/METRICS.md has %s, which the server does not", name)
		}
	}
	for line := range strings.Lines(want) {
		if !strings.Contains(string(got), line) {
			t.Errorf("docs/METRICS.md lacks %s", line)
		}
	}
	t.Error("docs/METRICS.md differs from the server: UPDATE=1 go test ./tests/observe")
}

var rowName = regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|")

// onPage returns the metrics of docs/METRICS.md.
func onPage(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, m := range rowName.FindAllStringSubmatch(read(t, "docs", "METRICS.md"), -1) {
		names[m[1]] = true
	}
	if len(names) < 80 {
		t.Fatalf("%d metrics on the page: %v", len(names), names)
	}
	return names
}

var (
	inSource   = regexp.MustCompile(`"(signalbox_[a-z0-9_]*[a-z0-9])"`)
	ofControl  = regexp.MustCompile(`ownPrefix \+ "([a-z0-9_]+)"`)
	ofControls = "signalbox_turn_control_"
)

// TestEveryMetricIsOnThePage: what the programs' source names as a metric stands on the page, so that none can hide until something rare happens.
func TestEveryMetricIsOnThePage(t *testing.T) {
	documented, found := onPage(t), 0
	for _, folder := range []string{"certs", "cmd", "internal", "relay", "turn", "xmpp"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			for _, name := range metricsOf(t, path) {
				found++
				if !documented[name] {
					t.Errorf("%s has the metric %s, which docs/METRICS.md lacks: let lively bring it about and run UPDATE=1 go test ./tests/observe", path, name)
				}
			}
			return nil
		})
		must(t, err)
	}
	if found < 80 {
		t.Errorf("%d metrics in the source: the search is broken", found)
	}
}

func metricsOf(t *testing.T, path string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	for _, m := range inSource.FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	for _, m := range ofControl.FindAllStringSubmatch(string(text), -1) {
		names = append(names, ofControls+m[1])
	}
	return names
}
