package push

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what happens to pushes. No label names an endpoint or a push.
type metrics struct {
	accepted    prometheus.Counter
	transitions map[State]prometheus.Counter // read-only after newMetrics
	delivery    prometheus.Histogram
	retries     prometheus.Counter
	unknown     prometheus.Counter
}

// newMetrics registers the metrics; lanes, inflight and oldest are asked at each scrape.
func newMetrics(reg prometheus.Registerer, lanes, inflight, oldest func() float64) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string, read func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
	}
	states := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signalbox_push_transitions_total", Help: "Changes of a push's state after its acceptance, by the new state.",
	}, []string{"state"})
	m := &metrics{
		accepted: counter("signalbox_push_accepted_total", "Pushes made durable."),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "signalbox_push_delivery_seconds", Help: "Time from acceptance to the receipt.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 12),
		}),
		retries: counter("signalbox_push_retries_total", "Changes of state that were written again because the store refused them."),
		unknown: counter("signalbox_push_unknown_receipts_total", "Receipts and results for pushes that do not exist."),
	}
	m.transitions = make(map[State]prometheus.Counter)
	for _, st := range []State{Accepted, Sent, Delivered, Handled, Failed, Expired, Replaced, Cancelled, Rejected} {
		m.transitions[st] = states.WithLabelValues(string(st))
	}
	for _, c := range []prometheus.Collector{
		m.accepted, states, m.delivery, m.retries, m.unknown,
		gauge("signalbox_push_lanes", "Sessions that take pushes.", lanes),
		gauge("signalbox_push_inflight", "Pushes handed to sessions and not yet acknowledged.", inflight),
		gauge("signalbox_push_oldest_inflight_seconds", "How long the oldest push has waited for its receipt from a session that takes pushes.", oldest),
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register push metrics: %w", err)
		}
	}
	return m, nil
}
