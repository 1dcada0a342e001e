package component

import (
	"github.com/prometheus/client_golang/prometheus"

	"signalbox/internal/endpoint"
)

// The directions of stanzas, as the metric has them.
const (
	inward  = "in"  // from a component
	outward = "out" // to a component
)

type metrics struct {
	connected prometheus.Gauge
	ended     *prometheus.CounterVec
	stanzas   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		connected: prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_component_connected_streams", Help: "Components that are connected."}),
		ended:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_component_ended_total", Help: "Streams of components that ended, by reason."}, []string{"reason"}),
		stanzas: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_component_stanzas_total", Help: "Stanzas from and to components, and whether they could be handed on.",
		}, []string{"direction", "outcome"}),
	}
	for _, r := range endpoint.Reasons() {
		m.ended.WithLabelValues(r.Name)
	}
	for _, direction := range []string{inward, outward} {
		for _, outcome := range []string{"ok", "refused"} {
			m.stanzas.WithLabelValues(direction, outcome)
		}
	}
	reg.MustRegister(m.connected, m.ended, m.stanzas)
	return m
}

func (m *metrics) count(direction string, ok bool) {
	outcome := "ok"
	if !ok {
		outcome = "refused"
	}
	m.stanzas.WithLabelValues(direction, outcome).Inc()
}
