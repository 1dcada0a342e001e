package turn

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/turn/session"
)

// crowded is why a connection was closed as soon as it came.
const (
	crowdedAll    = "too_many"
	crowdedSource = "too_many_of_source"
)

// metrics are those of the process itself; guard, sessions and data path have their own.
type metrics struct {
	acceptErrors prometheus.Counter
	refused      *prometheus.CounterVec // by reason
	connections  prometheus.GaugeFunc
}

func newMetrics(reg prometheus.Registerer, p *places) (*metrics, error) {
	m := &metrics{
		acceptErrors: prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_turn_accept_errors_total",
			Help: "Failed accepts of TURN connections; the listener goes on."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_turn_refused_connections_total",
			Help: "TURN connections closed at once, by reason."}, []string{"reason"}),
		connections: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_turn_connections",
			Help: "Open TURN connections over TCP and TLS."}, func() float64 { return float64(p.taken()) }),
	}
	for _, c := range []prometheus.Collector{m.acceptErrors, m.refused, m.connections} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	m.refused.WithLabelValues(crowdedAll)
	m.refused.WithLabelValues(crowdedSource)
	return m, nil
}

// sessionMetrics shows what a table of sessions counts.
func sessionMetrics(reg prometheus.Registerer, stats func() session.Stats) error {
	const quotas, quotasHelp = "signalbox_turn_quota_refusals_total", "Allocations refused because a quota is used up, by whose."
	const rates, ratesHelp = "signalbox_turn_rate_dropped_packets_total", "Packets dropped because a rate is used up, by whose."
	counters := []struct {
		name, help, of string
		value          func(session.Stats) uint64
	}{
		{quotas, quotasHelp, "session", func(s session.Stats) uint64 { return s.SessionQuota }},
		{quotas, quotasHelp, "technician", func(s session.Stats) uint64 { return s.TechnicianQuota }},
		{quotas, quotasHelp, "total", func(s session.Stats) uint64 { return s.TotalQuota }},
		{rates, ratesHelp, "session", func(s session.Stats) uint64 { return s.SessionRate }},
		{rates, ratesHelp, "total", func(s session.Stats) uint64 { return s.TotalRate }},
	}
	all := []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_turn_sessions", Help: "Open TURN sessions."},
			func() float64 { return float64(stats().Sessions) }),
	}
	for _, c := range counters {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: c.name, Help: c.help, ConstLabels: prometheus.Labels{"of": c.of}},
			func() float64 { return float64(c.value(stats())) }))
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}
