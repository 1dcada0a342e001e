package endpoint

import "github.com/prometheus/client_golang/prometheus"

type registryMetrics struct {
	online   prometheus.Gauge
	bound    prometheus.Counter
	resumed  prometheus.Counter
	replaced prometheus.Counter
	ended    *prometheus.CounterVec
}

func newRegistryMetrics(reg prometheus.Registerer) registryMetrics {
	m := registryMetrics{
		online:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_endpoint_online_sessions", Help: "Endpoints with a live session on this node."}),
		bound:    prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_endpoint_binds_total", Help: "Sessions bound."}),
		resumed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_endpoint_resumptions_total", Help: "Sessions resumed (XEP-0198)."}),
		replaced: prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_endpoint_replaced_total", Help: "Sessions replaced by a newer one of the same endpoint."}),
		ended:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_endpoint_ended_total", Help: "Bound sessions that ended, by reason."}, []string{"reason"}),
	}
	for _, r := range Reasons() {
		m.ended.WithLabelValues(r.Name)
	}
	reg.MustRegister(m.online, m.bound, m.resumed, m.replaced, m.ended)
	return m
}
