package observe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// dashboard is what is looked at of a file of deploy/grafana/dashboards.
type dashboard struct {
	UID           string  `json:"uid"`
	Title         string  `json:"title"`
	SchemaVersion int     `json:"schemaVersion"`
	Panels        []panel `json:"panels"`
}

type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct {
		H, W, X, Y int
	} `json:"gridPos"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

// leastSchema is the form of Grafana 12.0; newer versions read it, older ones say that it is too new.
const leastSchema = 41

func dashboards(t *testing.T) (all []dashboard) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "deploy", "grafana", "dashboards", "*.json"))
	must(t, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		must(t, err)
		var d dashboard
		must(t, json.Unmarshal(text, &d))
		if want := "signalbox-" + strings.TrimSuffix(filepath.Base(path), ".json"); d.UID != want {
			t.Errorf("%s has the uid %q, want %q", path, d.UID, want)
		}
		all = append(all, d)
	}
	if len(all) != 6 {
		t.Fatalf("%d dashboards", len(all))
	}
	return all
}

// expressions returns the queries of all panels by where they stand, with what Grafana puts in for its variables.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	fill := strings.NewReplacer("$__rate_interval", "10s", "$instance", ".*")
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			for i, target := range p.Targets {
				all[fmt.Sprintf("%s, %s, query %d", d.Title, p.Title, i+1)] = fill.Replace(target.Expr)
			}
		}
	}
	return all
}

// TestDashboards: each has the present form, and its panels ids of their own, a title, a description and a place where no other is.
func TestDashboards(t *testing.T) {
	for _, d := range dashboards(t) {
		if d.SchemaVersion < leastSchema {
			t.Errorf("%s has schemaVersion %d", d.Title, d.SchemaVersion)
		}
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" {
				t.Errorf("%s: panel %d, %q: want an id of its own and a title", d.Title, p.ID, p.Title)
			}
			ids[p.ID] = true
			if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
				t.Errorf("%s: %s lacks a description or a query", d.Title, p.Title)
			}
			if p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: %s is too wide", d.Title, p.Title)
			}
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					if other := taken[at]; other != "" && other != p.Title {
						t.Fatalf("%s: %s lies over %s", d.Title, p.Title, other)
					}
					taken[at] = p.Title
				}
			}
		}
	}
}

// TestDashboardsAreDocumented: docs/METRICS.md has every metric of the dashboards.
func TestDashboardsAreDocumented(t *testing.T) {
	documented := onPage(t)
	for where, expr := range expressions(t) {
		names := metricsIn(expr)
		if len(names) == 0 {
			t.Errorf("%s is about no metric: %s", where, expr)
		}
		for _, name := range names {
			histogram := strings.TrimSuffix(name, "_bucket")
			if !documented[name] && !documented[histogram] {
				t.Errorf("%s shows %s, which docs/METRICS.md lacks", where, name)
			}
		}
	}
}

// TestDashboardExpressions: promtool takes each query for an expression.
func TestDashboardExpressions(t *testing.T) {
	var rules []map[string]string
	for where, expr := range expressions(t) {
		rules = append(rules, map[string]string{"record": fmt.Sprintf("dashboard:%d", len(rules)), "expr": expr + " # " + where})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboards", "rules": rules}}})
	must(t, err)
	path := filepath.Join(t.TempDir(), "dashboards.yml")
	must(t, os.WriteFile(path, text, 0o600))
	promtool(t, "", "check", "rules", path)
}

// TestProvisioning: what Grafana reads at its start is YAML, and leads to the dashboards.
func TestProvisioning(t *testing.T) {
	var file struct {
		Providers []struct {
			Type    string            `yaml:"type"`
			Options map[string]string `yaml:"options"`
		} `yaml:"providers"`
	}
	must(t, yaml.Unmarshal([]byte(read(t, "deploy", "grafana", "provisioning", "dashboards", "signalbox.yml")), &file))
	if len(file.Providers) != 1 || file.Providers[0].Type != "file" || !filepath.IsAbs(file.Providers[0].Options["path"]) {
		t.Errorf("providers: %+v", file.Providers)
	}
	var sources struct {
		Datasources []struct{ Type, URL string } `yaml:"datasources"`
	}
	must(t, yaml.Unmarshal([]byte(read(t, "deploy", "grafana", "provisioning", "datasources", "signalbox.yml")), &sources))
	if len(sources.Datasources) != 1 || sources.Datasources[0].Type != "prometheus" {
		t.Errorf("datasources: %+v", sources.Datasources)
	}
}
