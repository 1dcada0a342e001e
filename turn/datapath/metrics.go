package datapath

import (
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/turn/tally"
)

type metrics struct {
	allocations    prometheus.Gauge
	packets, bytes [2]prometheus.Counter // up, down
	drops          [tally.Reasons]prometheus.Counter
}

// counts is what a round has counted since it was added to the metrics.
type counts struct {
	packets, bytes [2]int
	drops          [tally.Reasons]int
}

const (
	up = iota
	down
)

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{allocations: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "signalbox_turn_open_allocations", Help: "Allocations that are open.",
	})}
	packets := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signalbox_turn_relayed_packets_total", Help: "Packets relayed, up from clients to peers and down from peers to clients.",
	}, []string{"direction"})
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signalbox_turn_relayed_bytes_total", Help: "Bytes of application data relayed, up from clients to peers and down from peers to clients.",
	}, []string{"direction"})
	drops := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signalbox_turn_dropped_packets_total", Help: "Packets that were not relayed, by reason.",
	}, []string{"reason"})
	for i, direction := range []string{up: "up", down: "down"} {
		m.packets[i], m.bytes[i] = packets.WithLabelValues(direction), bytes.WithLabelValues(direction)
	}
	for i := range m.drops {
		m.drops[i] = drops.WithLabelValues(tally.Reason(i).String())
	}
	reg.MustRegister(m.allocations, packets, bytes, drops)
	return m
}

// add takes over what a round counted.
func (m *metrics) add(c *counts) {
	for i := range c.packets {
		if c.packets[i] > 0 {
			m.packets[i].Add(float64(c.packets[i]))
			m.bytes[i].Add(float64(c.bytes[i]))
		}
	}
	for i, n := range c.drops {
		if n > 0 {
			m.drops[i].Add(float64(n))
		}
	}
	*c = counts{}
}

func (r *round) countUp(a *Allocation, packets, bytes int) {
	a.owner.Counters().Up(packets, bytes)
	r.counts.packets[up] += packets
	r.counts.bytes[up] += bytes
}

func (r *round) countDown(a *Allocation, packets, bytes int) {
	a.owner.Counters().Down(packets, bytes)
	r.counts.packets[down] += packets
	r.counts.bytes[down] += bytes
}

// drop counts packets that are not relayed; a is nil where there is no allocation.
func (r *round) drop(a *Allocation, reason tally.Reason, packets int) {
	if a != nil {
		a.owner.Counters().Drop(reason, packets)
	}
	r.counts.drops[reason] += packets
}

// refuse counts a packet to or from a peer that the owner does not allow, and first that peer: whoever sees the packet counted sees whose it was. Relayed addresses are no
// peers that somebody must hear of: those of a session that come to their end are refused from then on.
func (r *round) refuse(a *Allocation, peer netip.AddrPort) {
	reason := a.unlessEnded(tally.PeerRefused)
	relayed := r.path.inRange(peer)
	if relayed && reason == tally.PeerRefused && r.path.At(peer) == nil {
		reason = tally.PeerGone
	}
	if reason == tally.PeerRefused && !relayed {
		a.owner.Counters().Refuse(peer.Addr())
	}
	r.drop(a, reason, 1)
}

// unlessEnded returns why a packet is dropped that the owner does not take: its end comes before another reason.
func (a *Allocation) unlessEnded(reason tally.Reason) tally.Reason {
	if a.owner.Ended() {
		return tally.SessionClosed
	}
	return reason
}
