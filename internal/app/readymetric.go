package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

var readyDesc = prometheus.NewDesc("signalbox_app_ready", "1 while a condition of /readyz is met, else 0; the server is ready if all are.", []string{"check"}, nil)

// readyMetric shows the conditions of readiness when it is asked for.
type readyMetric struct{ health health }

// Describe implements prometheus.Collector.
func (r readyMetric) Describe(to chan<- *prometheus.Desc) { to <- readyDesc }

// Collect implements prometheus.Collector.
func (r readyMetric) Collect(to chan<- prometheus.Metric) {
	for _, c := range r.health.conditions(context.Background()) {
		met := 0.0
		if c.OK {
			met = 1
		}
		to <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, met, c.Name)
	}
}
