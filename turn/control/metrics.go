package control

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// The outcomes of streams that the listener hands on.
const (
	streamCarried = "carried"
	streamBusy    = "busy"   // too many wait for the TURN process
	streamAway    = "away"   // it did not come back in time
	streamFailed  = "failed" // it could not be reached
)

// metrics are those of the server's side.
type metrics struct {
	losses  prometheus.Counter
	streams *prometheus.CounterVec // by outcome
	carried prometheus.Gauge
}

// newMetrics registers the metrics with every label value that can occur at zero, so that a rate is right from the first event.
func newMetrics(reg prometheus.Registerer, c *Client) (*metrics, error) {
	m := &metrics{
		losses: prometheus.NewCounter(prometheus.CounterOpts{Name: ownPrefix + "losses_total",
			Help: "How often the TURN process was gone, or could not be started or reached."}),
		streams: prometheus.NewCounterVec(prometheus.CounterOpts{Name: ownPrefix + "streams_total",
			Help: "Connections of TURN clients on the shared port, by what became of them."}, []string{"outcome"}),
		carried: prometheus.NewGauge(prometheus.GaugeOpts{Name: ownPrefix + "streams",
			Help: "Connections of TURN clients on the shared port that are handed on now."}),
	}
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: ownPrefix + "up", Help: "1 while the TURN process is there, else 0."}, func() float64 {
		if c.Away() != nil {
			return 0
		}
		return 1
	})
	sessions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: ownPrefix + "sessions", Help: "TURN sessions that are open."},
		func() float64 { return float64(c.open()) })
	for _, outcome := range []string{streamCarried, streamBusy, streamAway, streamFailed} {
		m.streams.WithLabelValues(outcome)
	}
	for _, col := range []prometheus.Collector{m.losses, m.streams, m.carried, up, sessions} {
		if err := reg.Register(col); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}
