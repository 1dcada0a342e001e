package guard

import (
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/turn/policy"
	"signalbox/turn/wire"
)

// refusal is why a client was not believed. Its answer does not say.
type refusal string

const (
	refusedNone       refusal = "none"       // it showed no credentials: the beginning of every conversation
	refusedIncomplete refusal = "incomplete" // username, realm or nonce is missing
	refusedNonce      refusal = "nonce"      // old, invented, or another client's
	refusedUsername   refusal = "username"   // not of a form that we know
	refusedPassword   refusal = "password"
	refusedSession    refusal = "session" // ended, or never heard of
	refusedExpired    refusal = "expired"
)

func refusals() []refusal {
	return []refusal{refusedNone, refusedIncomplete, refusedNonce, refusedUsername, refusedPassword, refusedSession, refusedExpired}
}

// dropped is why a message got no answer.
type dropped string

const (
	dropNotRequest  dropped = "not_request"
	dropFingerprint dropped = "fingerprint"
	dropRate        dropped = "rate"
	dropQueue       dropped = "queue" // over a stream it got a 500
)

func drops() []dropped { return []dropped{dropNotRequest, dropFingerprint, dropRate, dropQueue} }

// metrics are the counters of one Guard. None has a label that names a user, a session or an address.
type metrics struct {
	requests     *prometheus.CounterVec // by method and code
	refusedUsers *prometheus.CounterVec // by refusal
	refusedPeers *prometheus.CounterVec // by the policy's reason
	dropped      *prometheus.CounterVec // by dropped
	repeats      prometheus.Counter
	allocations  prometheus.Gauge

	success [methods]prometheus.Counter // of requests
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_turn_requests_total",
			Help: "Answers to STUN and TURN requests, by method and error code; code 0 is success."}, []string{"method", "code"}),
		refusedUsers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_turn_refused_credentials_total",
			Help: "TURN requests whose credentials were refused, by reason; none is the ordinary first request without any."}, []string{"reason"}),
		refusedPeers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_turn_refused_peers_total",
			Help: "Permissions and channels that the peer policy refused, by reason."}, []string{"reason"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_turn_unanswered_total",
			Help: "STUN messages that got no answer, by reason; rate is that of answers to those who show no credentials, queue that of too many requests, which over a stream got a 500."}, []string{"reason"}),
		repeats: prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_turn_repeated_total",
			Help: "Requests that came again because their answer was lost or late."}),
		allocations: prometheus.NewGauge(prometheus.GaugeOpts{Name: "signalbox_turn_allocations",
			Help: "Allocations, those included that are being made or closed."}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.refusedUsers, m.refusedPeers, m.dropped, m.repeats, m.allocations} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	m.zero()
	return m, nil
}

// zero shows every label value that can be foreseen from the start, so that a rate is right from the first event.
func (m *metrics) zero() {
	for method := range methods {
		m.success[method] = m.requests.WithLabelValues(method.name(), "0")
		m.requests.WithLabelValues(method.name(), strconv.Itoa(wire.CodeUnknownAttribute))
	}
	for _, r := range refusals() {
		m.refusedUsers.WithLabelValues(string(r))
	}
	for _, r := range policy.Reasons() {
		m.refusedPeers.WithLabelValues(string(r))
	}
	for _, d := range drops() {
		m.dropped.WithLabelValues(string(d))
	}
}

// request counts an answer; code 0 is success.
func (m *metrics) request(method method, code int) {
	if code == 0 {
		m.success[method].Inc()
		return
	}
	m.requests.WithLabelValues(method.name(), strconv.Itoa(code)).Inc()
}

func (m *metrics) drop(why dropped) { m.dropped.WithLabelValues(string(why)).Inc() }
