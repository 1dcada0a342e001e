package turnsession

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	open  prometheus.Gauge
	ended *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		open:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_turnsession_open_sessions", Help: "TURN sessions that are open."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_turnsession_ended_sessions_total", Help: "TURN sessions that ended, by reason."}, []string{"reason"}),
	}
	for _, reason := range Reasons() {
		m.ended.WithLabelValues(reason)
	}
	reg.MustRegister(m.open, m.ended)
	return m
}
