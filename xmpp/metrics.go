package xmpp

import (
	"github.com/prometheus/client_golang/prometheus"

	"signalbox/internal/endpoint"
)

type metrics struct {
	streams  prometheus.Gauge
	logins   *prometheus.CounterVec
	ended    *prometheus.CounterVec
	routed   prometheus.Counter
	unrouted prometheus.Counter
	restored prometheus.Counter
	seats    prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		streams:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_xmpp_open_streams", Help: "XMPP streams that are open, bound or not."}),
		logins:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_xmpp_logins_total", Help: "Logins by outcome: ok, or the SASL condition of the failure."}, []string{"outcome"}),
		ended:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_xmpp_unbound_ended_total", Help: "Streams that ended before a session was bound, by reason."}, []string{"reason"}),
		routed:   prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_xmpp_routed_stanzas_total", Help: "Stanzas handed from one session to another."}),
		unrouted: prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_xmpp_unrouted_stanzas_total", Help: "Stanzas that no session took."}),
		restored: prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_xmpp_restored_sessions_total", Help: "Sessions of the last run that could be resumed after the start."}),
		seats:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_xmpp_technician_streams", Help: "Technicians of remote sessions who are logged in over XMPP."}),
	}
	for _, r := range endpoint.Reasons() {
		m.ended.WithLabelValues(r.Name)
	}
	reg.MustRegister(m.streams, m.logins, m.ended, m.routed, m.unrouted, m.restored, m.seats)
	return m
}

func (m *metrics) unbound(r endpoint.Reason) { m.ended.WithLabelValues(r.Name).Inc() }
