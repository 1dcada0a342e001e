package technician

import "github.com/prometheus/client_golang/prometheus"

// metrics count what happens at the console's door.
type metrics struct {
	signIns *prometheus.CounterVec // by method
	refused *prometheus.CounterVec // by reason
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_technician_sign_ins_total", Help: "Sign-ins to the console, by method.",
		}, []string{"method"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_technician_sign_ins_refused_total", Help: "Attempts to sign in to the console that were refused, by reason.",
		}, []string{"reason"}),
	}
	for _, method := range []string{MethodPassword, MethodLink} {
		m.signIns.WithLabelValues(method)
	}
	for _, reason := range []string{"credentials", "link", "waits"} {
		m.refused.WithLabelValues(reason)
	}
	if reg != nil {
		reg.MustRegister(m.signIns, m.refused)
	}
	return m
}
