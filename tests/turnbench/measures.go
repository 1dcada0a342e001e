package turnbench

import "signalbox/tests/turnbench/wire"

const (
	packetSize = 1200 // bytes of a packet's payload: what QUIC and WebRTC send over paths of unknown MTU
	pingSize   = 200
	window     = 128 // packets under way where nothing else holds them up: less than what the smallest socket buffer takes
	inFlight   = 32  // allocations being made at the same time
)

// measure is one flow whose CPU per packet is measured.
type measure struct {
	key, what string
	transport wire.Transport
	mode      wire.Mode
	way       wire.Way
	clients   int
	burst     int
	rate      int    // packets per second; 0: as fast as the window lets it
	must, aim string // of the specification; empty: it names none
}

// measures returns all flows in the order of the table.
func measures() []measure {
	const must, aim, scattered = "1.0x", "0.6x", "1.1x"
	return []measure{
		{"up", "ChannelData up, 4 flows, bursts of 32", wire.UDP, wire.Channel, wire.Up, 4, 32, 0, must, aim},
		{"down", "ChannelData down, 4 flows, bursts of 32", wire.UDP, wire.Channel, wire.Down, 4, 32, 0, must, aim},
		{"paced/up", "ChannelData up, 4 flows, 20,000 packets/s in bursts of 20", wire.UDP, wire.Channel, wire.Up, 4, 20, 20_000, must, aim},
		{"paced/down", "ChannelData down, 4 flows, 20,000 packets/s in bursts of 20", wire.UDP, wire.Channel, wire.Down, 4, 20, 20_000, must, aim},
		{"scattered/up", "ChannelData up, 64 sessions in turns, 30,000 packets/s one by one", wire.UDP, wire.Channel, wire.Up, 64, 1, 30_000, scattered, ""},
		{"scattered/down", "ChannelData down, 64 sessions in turns, 30,000 packets/s one by one", wire.UDP, wire.Channel, wire.Down, 64, 1, 30_000, scattered, ""},
		{"send", "Send indications up, 4 flows, bursts of 32", wire.UDP, wire.Indication, wire.Up, 4, 32, 0, "", ""},
		{"data", "Data indications down, 4 flows, bursts of 32", wire.UDP, wire.Indication, wire.Down, 4, 32, 0, "", ""},
		{"hairpin", "from one relayed address to another, 4 flows, bursts of 32", wire.UDP, wire.Pair, wire.Across, 8, 32, 0, "", ""},
		{"tls/up", "ChannelData up over TLS, 2 streams, 16 frames in a write", wire.TLS, wire.Channel, wire.Up, 2, 16, 0, "", ""},
		{"tls/down", "ChannelData down over TLS, 2 streams, bursts of 16", wire.TLS, wire.Channel, wire.Down, 2, 16, 0, "", ""},
	}
}

// packets is how many packets a flow moves.
func (m measure) packets(s Scale) int {
	if m.rate == 0 {
		return s.Packets
	}
	return int(float64(m.rate) * s.Lasts.Seconds())
}

// row is one line of the table.
type row struct {
	key, what, unit string
	must, aim       string
	compared        bool // it is a cost or a rate of the server, not a circumstance
}

// rows returns all lines of the table.
func rows() (all []row) {
	for _, m := range measures() {
		all = append(all, row{m.key + "/cpu", m.what + ": CPU per million packets", "s", m.must, m.aim, true})
		if m.rate == 0 {
			all = append(all, row{m.key + "/rate", "... packets per second", "1/s", "", "", true})
		}
	}
	return append(all,
		row{"lost", "packets lost, of each flow", "%", "", "", false},
		row{"allocate/rate", "allocations per second, 32 under way", "1/s", "", "", true},
		row{"allocate/cpu", "... CPU per allocation", "us", "", "", true},
		row{"allocate/rss", "... memory per allocation: RSS", "KiB", "", "", true},
		row{"allocate/failed", "... allocations that failed", "", "", "", false},
		row{"base/rss", "whole process tree before the first allocation: RSS", "MiB", "", "", true},
		row{"latency/udp", "latency that the server adds, UDP, 200 B, half of the packets", "us", "", "", true},
		row{"latency/tls", "latency that the server adds, TLS, 200 B, half of the packets", "us", "", "", true},
		row{"load/up", "load generator: CPU per million packets, ChannelData up, bursts of 32", "s", "", "", false},
		row{"other", "CPU taken by everything else on the machine", "cores", "", "", false},
	)
}
