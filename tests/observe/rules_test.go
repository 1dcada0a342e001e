package observe

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	dto "github.com/prometheus/client_model/go"
)

// alert is one rule of deploy/prometheus/signalbox.rules.yml.
type alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	must(t, yaml.Unmarshal([]byte(read(t, "deploy", "prometheus", "signalbox.rules.yml")), &file))
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 20 {
		t.Fatalf("%d alerts", len(all))
	}
	return all
}

// promtool runs it in deploy/prometheus.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, "promtool"), args...)
	cmd.Dir, cmd.Stdin = filepath.Join(root, "deploy", "prometheus"), strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtool(t *testing.T) {
	promtool(t, "", "check", "config", "prometheus.yml")
	promtool(t, "", "check", "rules", "signalbox.rules.yml")
	promtool(t, "", "test", "rules", "signalbox.rules.test.yml")
}

// TestMetricsAreClean: promtool finds nothing to say about the page of a running server.
func TestMetricsAreClean(t *testing.T) {
	tool(t, "promtool")
	promtool(t, scrape(t, lively(t)), "check", "metrics")
}

// TestEachAlertIsPlayed: signalbox.rules.test.yml has a world in which each alert fires, and one in which it is silent.
func TestEachAlertIsPlayed(t *testing.T) {
	var file struct {
		Tests []struct {
			Checks []struct {
				Expr    string `yaml:"expr"`
				Samples []any  `yaml:"exp_samples"`
			} `yaml:"promql_expr_test"`
		} `yaml:"tests"`
	}
	must(t, yaml.Unmarshal([]byte(read(t, "deploy", "prometheus", "signalbox.rules.test.yml")), &file))
	fires, silent := map[string]bool{}, map[string]bool{}
	name := regexp.MustCompile(`alertname="(\w+)",alertstate="firing"`)
	for _, world := range file.Tests {
		for _, c := range world.Checks {
			if m := name.FindStringSubmatch(c.Expr); m != nil && len(c.Samples) > 0 {
				fires[m[1]] = true
			} else if m != nil {
				silent[m[1]] = true
			}
		}
	}
	for _, a := range alerts(t) {
		if !fires[a.Alert] || !silent[a.Alert] {
			t.Errorf("%s is seen firing: %v, silent: %v", a.Alert, fires[a.Alert], silent[a.Alert])
		}
	}
}

// TestAlertsTellWhatToDo: each says how bad it is, what is the case, and leads to a place in docs/OPERATIONS.md that is there.
func TestAlertsTellWhatToDo(t *testing.T) {
	anchors := headings(t)
	seen := map[string]bool{}
	for _, a := range alerts(t) {
		if seen[a.Alert] || !strings.HasPrefix(a.Alert, "Signalbox") {
			t.Errorf("%s: want a name of its own that begins with Signalbox", a.Alert)
		}
		seen[a.Alert] = true
		if s := a.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", a.Alert, s)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s lacks a summary or a description", a.Alert)
		}
		if at, ok := strings.CutPrefix(a.Annotations["runbook_url"], "docs/OPERATIONS.md#"); !ok || !anchors[at] {
			t.Errorf("%s leads to %q, which is no heading of docs/OPERATIONS.md", a.Alert, a.Annotations["runbook_url"])
		}
	}
}

// headings returns the anchors of docs/OPERATIONS.md, as readers of Markdown make them.
func headings(t *testing.T) map[string]bool {
	t.Helper()
	anchors := map[string]bool{}
	for line := range strings.Lines(read(t, "docs", "OPERATIONS.md")) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			kept := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			anchors[strings.ReplaceAll(kept, " ", "-")] = true
		}
	}
	return anchors
}

// TestAlertsFitTheServer: a running server has each metric and label that the alerts name.
func TestAlertsFitTheServer(t *testing.T) {
	all := families(t, scrape(t, lively(t)))
	for _, a := range alerts(t) {
		for _, wrong := range wrongIn(a.Expr, all) {
			t.Errorf("%s %s", a.Alert, wrong)
		}
		checkTemplates(t, a, all)
	}
}

// checkTemplates: what a text says of a label must be a label of one of the alert's metrics.
func checkTemplates(t *testing.T, a alert, all map[string]*dto.MetricFamily) {
	t.Helper()
	for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(a.Annotations["summary"]+a.Annotations["description"], -1) {
		if !slices.Contains(ofPrometheus, m[1]) && !anyHas(all, metricsIn(a.Expr), m[1]) {
			t.Errorf("%s speaks of the label %s, which %s has not", a.Alert, m[1], a.Expr)
		}
	}
}
