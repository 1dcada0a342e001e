package remote

import (
	"github.com/prometheus/client_golang/prometheus"

	"signalbox/internal/signalling"
)

type metrics struct {
	open    prometheus.Gauge
	ended   *prometheus.CounterVec
	paths   *prometheus.CounterVec
	refused *prometheus.CounterVec
	dropped *prometheus.CounterVec
}

// Why something was refused, and what was dropped: labels of metrics, and the former of audit entries.
const (
	refusedUnknown    = "unknown_session"            // a token for a session that there is not
	refusedWrong      = "wrong_token"                // of another session, or made up
	refusedUsed       = "used_token"                 // a second time
	refusedExpired    = "expired_token"              // too late
	refusedForeign    = "foreign_endpoint"           // an endpoint spoke in the session of another
	refusedMessage    = "message"                    // a party said what it may not, or asked for what the session does not allow
	refusedMalformed  = "malformed"                  // a message that breaks the rules of the protocol
	refusedTooLarge   = "too_large"                  // one beyond its bounds
	refusedPath       = signalling.BlockedPath       // an endpoint refused a path
	refusedPermission = signalling.BlockedPermission // an endpoint refused what the session may not
	droppedAway       = "away"                       // the receiver was away
	droppedFlood      = "flood"                      // an endpoint sent faster than it was worked on
	droppedTooEarly   = "too_early"                  // before the endpoint accepted
	droppedOld        = "old"                        // of a PeerConnection that was replaced
)

func newMetrics(reg prometheus.Registerer) metrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := metrics{
		open:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_remote_open_sessions", Help: "Remote sessions that are open."}),
		ended:   counter("signalbox_remote_ended_sessions_total", "Remote sessions that ended, by reason.", "reason"),
		paths:   counter("signalbox_remote_found_paths_total", "Ways by which parties of remote sessions reached each other, by rung.", "rung"),
		refused: counter("signalbox_remote_refused_requests_total", "Attempts to take part in remote sessions that were refused, by what was wrong.", "why"),
		dropped: counter("signalbox_remote_dropped_messages_total", "Messages of remote sessions that went nowhere, by why.", "why"),
	}
	for _, r := range Reasons() {
		m.ended.WithLabelValues(r.Name)
	}
	for _, rung := range rungs {
		m.paths.WithLabelValues(rung)
	}
	for _, why := range []string{refusedUnknown, refusedWrong, refusedUsed, refusedExpired, refusedForeign, refusedMessage, refusedMalformed, refusedTooLarge, refusedPath, refusedPermission} {
		m.refused.WithLabelValues(why)
	}
	for _, why := range []string{droppedAway, droppedFlood, droppedTooEarly, droppedOld} {
		m.dropped.WithLabelValues(why)
	}
	reg.MustRegister(m.open, m.ended, m.paths, m.refused, m.dropped)
	return m
}
