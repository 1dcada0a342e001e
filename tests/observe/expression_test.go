package observe

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

var (
	metricName = regexp.MustCompile(`\b(?:signalbox|process|go|promhttp)_[a-z0-9_]+\b|\bup\b`)
	selector   = regexp.MustCompile(`\b([a-z_][a-z0-9_]*)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping   = regexp.MustCompile(`\b(?:by|on|without|ignoring)\s*\(([a-z_, ]*)\)`)
)

// metricsIn returns the metrics that an expression is about. That it is an expression at all is promtool's to say.
func metricsIn(expr string) []string {
	names := map[string]bool{}
	for _, m := range metricName.FindAllString(expr, -1) {
		names[m] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// family returns the metric that a series belongs to: a histogram's series have names of their own.
func family(all map[string]*dto.MetricFamily, name string) *dto.MetricFamily {
	if f := all[name]; f != nil {
		return f
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if f := all[strings.TrimSuffix(name, suffix)]; strings.HasSuffix(name, suffix) && f != nil && f.GetType() == dto.MetricType_HISTOGRAM {
			return f
		}
	}
	return nil
}

// ofPrometheus are the labels that Prometheus itself adds to what it scrapes.
var ofPrometheus = []string{"job", "instance"}

// has reports whether series of a metric have a label.
func has(f *dto.MetricFamily, label string) bool {
	return slices.Contains(ofPrometheus, label) || slices.Contains(labels(f), label) || label == "le" && f.GetType() == dto.MetricType_HISTOGRAM
}

// wrongIn holds the names and labels of an expression against the metrics of a server and says what does not fit.
func wrongIn(expr string, all map[string]*dto.MetricFamily) (wrong []string) {
	names := metricsIn(expr)
	if len(names) == 0 {
		wrong = append(wrong, "is about no metric")
	}
	for _, name := range names {
		if name != "up" && family(all, name) == nil {
			wrong = append(wrong, "is about "+name+", which the server does not show")
		}
	}
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if f := family(all, m[1]); f != nil && !has(f, l[1]) {
				wrong = append(wrong, "selects by "+l[1]+", which "+m[1]+" has not")
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, label := range strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			if !anyHas(all, names, label) {
				wrong = append(wrong, "groups by "+label+", which nothing in it has")
			}
		}
	}
	return wrong
}

// anyHas reports whether one of these metrics has a label.
func anyHas(all map[string]*dto.MetricFamily, names []string, label string) bool {
	return slices.ContainsFunc(names, func(n string) bool { f := family(all, n); return f != nil && has(f, label) })
}

// TestWrongInBites: the check finds what it is for.
func TestWrongInBites(t *testing.T) {
	name, label, kind := "signalbox_a_total", "reason", dto.MetricType_COUNTER
	all := map[string]*dto.MetricFamily{name: {Name: &name, Type: &kind, Metric: []*dto.Metric{{Label: []*dto.LabelPair{{Name: &label, Value: &label}}}}}}
	for expr, want := range map[string]int{
		`sum by (reason) (rate(signalbox_a_total{reason!="x",job="y"}[5m])) > 1`: 0,
		`signalbox_a_total unless on (job) (up == 0)`:                            0,
		`rate(signalbox_b_total[5m])`:                                            1,
		`rate(signalbox_a_total{kind="x"}[5m])`:                                  1,
		`sum by (kind) (rate(signalbox_a_total[5m]))`:                            1,
		`signalbox_a_total unless on (kind) up`:                                  1,
		`rate(signalbox_a_total_bucket[5m])`:                                     1,
		`1 > 0`:                                                                  1,
	} {
		if wrong := wrongIn(expr, all); len(wrong) != want {
			t.Errorf("wrong in %s: %q, want %d", expr, wrong, want)
		}
	}
}
