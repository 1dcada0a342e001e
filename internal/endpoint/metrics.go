package endpoint

import "github.com/prometheus/client_golang/prometheus"

type registryMetrics struct {
	online   prometheus.Gauge
	bound    prometheus.Counter
	resumed  prometheus.Counter
	replaced prometheus.Counter
	ended    *prometheus.CounterVec
	flapping prometheus.Gauge
	cloned   prometheus.Gauge
	slowed   prometheus.Counter
	probes   *prometheus.CounterVec
}

func newRegistryMetrics(reg prometheus.Registerer) registryMetrics {
	m := registryMetrics{
		online:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_endpoint_online_sessions", Help: "Endpoints with a live session on this node."}),
		bound:    prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_endpoint_binds_total", Help: "Sessions bound."}),
		resumed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_endpoint_resumptions_total", Help: "Sessions resumed (XEP-0198)."}),
		replaced: prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_endpoint_replaced_total", Help: "Sessions replaced by a newer one of the same endpoint."}),
		ended:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_endpoint_ended_total", Help: "Bound sessions that ended, by reason."}, []string{"reason"}),
	}
	m.flapping = prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_endpoint_flapping_endpoints", Help: "Endpoints whose sessions come and go too often."})
	m.cloned = prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_endpoint_cloned_endpoints", Help: "Endpoints whose identity a second machine uses, too."})
	m.slowed = prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_endpoint_slowed_logins_total", Help: "Logins held up because the endpoint is flapping or cloned."})
	m.probes = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_endpoint_probes_total", Help: "Probes of endpoints, by what they found."}, []string{"state"})
	for _, s := range []ProbeState{ProbeOnline, ProbeUnresponsive, ProbeOffline} {
		m.probes.WithLabelValues(string(s))
	}
	for _, r := range Reasons() {
		m.ended.WithLabelValues(r.Name)
	}
	reg.MustRegister(m.online, m.bound, m.resumed, m.replaced, m.ended, m.flapping, m.cloned, m.slowed, m.probes)
	return m
}
