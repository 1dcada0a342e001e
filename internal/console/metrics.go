package console

import "github.com/prometheus/client_golang/prometheus"

// metrics count what happens at the console. No label names anybody.
type metrics struct {
	requests *prometheus.CounterVec // of the API, by status
	sockets  *prometheus.GaugeVec   // that are open, by kind
	ends     *prometheus.CounterVec // of sockets, by reason
	dropped  prometheus.Counter     // messages of technicians
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_console_requests_total", Help: "Requests to the console's API, by status."}, []string{"status"}),
		sockets:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "signalbox_console_open_sockets", Help: "WebSockets of the console that are open, by kind."}, []string{"kind"}),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_console_socket_ends_total", Help: "WebSockets of the console that ended, by reason.",
		}, []string{"reason"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_console_dropped_messages_total", Help: "Messages of technicians that did not fit the state of their session.",
		}),
	}
	for _, kind := range []string{"live", "signal"} {
		m.sockets.WithLabelValues(kind)
	}
	for _, e := range endings() {
		m.ends.WithLabelValues(e.reason)
	}
	reg.MustRegister(m.requests, m.sockets, m.ends, m.dropped)
	return m
}

// opened counts a socket that is open until closed is called.
func (m *metrics) opened(kind string) (closed func()) {
	g := m.sockets.WithLabelValues(kind)
	g.Inc()
	return g.Dec
}

func (m *metrics) ended(how ending) {
	if how.code == endMalformed.code { // its reason says what of it
		how = endMalformed
	}
	m.ends.WithLabelValues(how.reason).Inc()
}
