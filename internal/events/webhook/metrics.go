package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The values of the label receiver.
const (
	labelManagement = "management"
	labelWebhook    = "webhook"
)

type metrics struct {
	attempts *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer, s *Service) (*metrics, error) {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_webhook_attempts_total", Help: "Attempts to hand an event to a receiver, by receiver and result: ok, or why not.",
		}, []string{"receiver", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "signalbox_webhook_attempt_seconds", Help: "How long attempts took.", Buckets: []float64{.005, .02, .1, .5, 2, 10, 30},
		}, []string{"receiver"}),
	}
	for _, receiver := range []string{labelManagement, labelWebhook} {
		m.seconds.WithLabelValues(receiver)
		for _, code := range append(Codes(), "ok") {
			m.attempts.WithLabelValues(receiver, code)
		}
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.attempts), reg.Register(m.seconds), reg.Register(backlog{s}))
}

func labelOf(id string) string {
	if id == Management {
		return labelManagement
	}
	return labelWebhook
}

// counter returns what counts the attempts for a receiver.
func (m *metrics) counter(id string) func(answer) {
	label := labelOf(id)
	return func(a answer) {
		result := a.fault.Code
		if result == "" {
			result = "ok"
		}
		m.attempts.WithLabelValues(label, result).Inc()
		m.seconds.WithLabelValues(label).Observe(a.took.Seconds())
	}
}

var (
	descBacklogEvents = prometheus.NewDesc("signalbox_webhook_backlog_events", "Events that wait for the receiver that is furthest behind, at most.", []string{"receiver"}, nil)
	descBacklogAge    = prometheus.NewDesc("signalbox_webhook_backlog_seconds", "Age of the oldest event that waits for a receiver.", []string{"receiver"}, nil)
	descDisabled      = prometheus.NewDesc("signalbox_webhook_disabled_webhooks", "Webhooks that the server disabled because their receivers took nothing.", nil, nil)
)

// backlog is what is read of all receivers when somebody asks.
type backlog struct{ service *Service }

// collectTimeout bounds what is read for metrics.
const collectTimeout = 2 * time.Second

// Describe implements prometheus.Collector.
func (b backlog) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descBacklogEvents, descBacklogAge, descDisabled} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (b backlog) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	all, err := b.service.List(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(descBacklogEvents, err)
		return
	}
	count, age, disabled := map[string]float64{}, map[string]float64{}, 0.0
	for _, in := range all {
		label := labelOf(in.ID)
		switch {
		case in.Disabled != "":
			disabled++
		case in.Enabled:
			count[label] = max(count[label], float64(in.Pending))
			if !in.Oldest.IsZero() {
				age[label] = max(age[label], time.Since(in.Oldest).Seconds())
			}
		}
	}
	for _, label := range []string{labelManagement, labelWebhook} {
		to <- prometheus.MustNewConstMetric(descBacklogEvents, prometheus.GaugeValue, count[label], label)
		to <- prometheus.MustNewConstMetric(descBacklogAge, prometheus.GaugeValue, age[label], label)
	}
	to <- prometheus.MustNewConstMetric(descDisabled, prometheus.GaugeValue, disabled)
}
