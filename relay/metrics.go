package relay

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	open    prometheus.Gauge
	ended   *prometheus.CounterVec
	refused *prometheus.CounterVec
	bytes   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		open:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_relay_open_channels", Help: "Channels that are relayed or waited for."}),
		ended:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_relay_ended_channels_total", Help: "Channels that ended, by reason."}, []string{"reason"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_relay_refused_tickets_total", Help: "Requests that opened no channel, by reason."}, []string{"reason"}),
		bytes:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_relay_bytes_total", Help: "Bytes of messages that passed, up from technicians to endpoints and down."}, []string{"direction"}),
	}
	for _, r := range Reasons() {
		m.ended.WithLabelValues(string(r))
	}
	for _, r := range []Reason{ReasonUnknownTicket, ReasonNoWebSocket, ReasonStopped} {
		m.refused.WithLabelValues(string(r))
	}
	for _, d := range directions {
		m.bytes.WithLabelValues(d)
	}
	if reg != nil {
		reg.MustRegister(m.open, m.ended, m.refused, m.bytes)
	}
	return m
}

var directions = [2]string{"up", "down"}
