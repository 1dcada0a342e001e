package events

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	sent     prometheus.Counter
	caughtUp prometheus.Counter
	refused  prometheus.Counter
}

// newMetrics registers on reg.
func newMetrics(reg prometheus.Registerer, h *Hub) (metrics, error) {
	m := metrics{
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_events_sent_total", Help: "Events handed to those who follow, each counted for each of them."}),
		caughtUp: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_events_caught_up_total", Help: "Events read from the store for those who follow too slowly, or who come back."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_events_refused_total", Help: "Streams of events refused because events.followers are open."}),
	}
	followers := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "signalbox_events_followers", Help: "Those who follow the events now.",
	}, func() float64 {
		h.mu.Lock()
		defer h.mu.Unlock()
		return float64(h.followers)
	})
	for _, c := range []prometheus.Collector{m.sent, m.caughtUp, m.refused, followers} {
		if err := reg.Register(c); err != nil {
			return m, fmt.Errorf("register metrics of events: %w", err)
		}
	}
	return m, nil
}
