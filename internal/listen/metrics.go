package listen

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the counters of one Server.
type metrics struct {
	open      *prometheus.GaugeVec   // by listener
	accepted  *prometheus.CounterVec // by listener
	closed    *prometheus.CounterVec // by reason
	acceptErr *prometheus.CounterVec // by kind
	handedOn  *prometheus.CounterVec // by protocol
	refusals  *prometheus.CounterVec // by alert
	clients   *prometheus.CounterVec // by outcome
	handshake prometheus.Histogram
	inFlight  prometheus.GaugeFunc
	queued    prometheus.GaugeFunc
}

// The outcomes of client certificates.
const (
	clientVerified = "verified"
	clientRefused  = "refused"
)

// newMetrics registers the metrics with every label value that can occur at zero, so that a rate is right from the first event.
func newMetrics(reg prometheus.Registerer, q *queue) (*metrics, error) {
	m := &metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "signalbox_listen_connections",
			Help: "Open connections, handed on ones included."}, []string{"listener"}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_listen_accepted_total",
			Help: "Accepted connections."}, []string{"listener"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_listen_closed_total",
			Help: "Connections closed by the listener itself."}, []string{"reason"}),
		acceptErr: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_listen_accept_errors_total",
			Help: "Failed accepts."}, []string{"kind"}),
		handedOn: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_listen_handed_on_total",
			Help: "Connections handed to the handler of a protocol."}, []string{"protocol"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_listen_tls_refusals_total",
			Help: "Handshakes in which the client refused our certificate, by the alert that it sent."}, []string{"reason"}),
		clients: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_listen_client_certificates_total",
			Help: "Client certificates that were shown, by whether they count."}, []string{"outcome"}),
		handshake: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "signalbox_listen_handshake_seconds",
			Help:    "Time of successful TLS handshakes without waiting for their turn.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
		inFlight: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_listen_handshakes_inflight",
			Help: "TLS handshakes that run."}, func() float64 { n, _ := q.load(); return float64(n) }),
		queued: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_listen_handshake_queue_length",
			Help: "Connections that wait for their TLS handshake."}, func() float64 { _, n := q.load(); return float64(n) }),
	}
	for _, c := range []prometheus.Collector{m.open, m.accepted, m.closed, m.acceptErr, m.handedOn, m.refusals, m.clients, m.handshake, m.inFlight, m.queued} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	m.zero()
	return m, nil
}

func (m *metrics) zero() {
	for _, name := range listenerNames() {
		m.open.WithLabelValues(name)
		m.accepted.WithLabelValues(name)
	}
	for _, r := range Reasons() {
		m.closed.WithLabelValues(string(r.Reason))
	}
	for _, name := range refusalNames() {
		m.refusals.WithLabelValues(name)
	}
	for _, outcome := range []string{clientVerified, clientRefused} {
		m.clients.WithLabelValues(outcome)
	}
	for _, kind := range acceptErrorKinds() {
		m.acceptErr.WithLabelValues(kind)
	}
	for _, p := range Protocols() {
		m.handedOn.WithLabelValues(string(p))
	}
}

func (m *metrics) tookHandshake(d time.Duration) { m.handshake.Observe(d.Seconds()) }
