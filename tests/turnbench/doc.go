// Package turnbench measures the TURN server beside coturn: the same independent load on both, one after the other, on one machine.
package turnbench

import "time"

// Target is the make target whose report stands in docs/BENCHMARKS.md.
const Target = "bench-turn"

// The two servers, as the table names them.
const (
	Ours   = "Signalbox"
	Theirs = "coturn"
)

// domain is the name in the certificate of both servers, and coturn's realm.
const domain = "turn.signalbox.test"

// Scale says how much is measured.
type Scale struct {
	Rounds      int           // how often both servers take their turns
	Packets     int           // of one measurement that goes as fast as it can
	Lasts       time.Duration // of one measurement with a rate
	Allocations int           // of one measurement
	Pings       int           // each way
}

// Full is the load of docs/BENCHMARKS.md.
func Full() Scale {
	return Scale{Rounds: 5, Packets: 300_000, Lasts: 4 * time.Second, Allocations: 5000, Pings: 3000}
}

// Smoke is just enough to see that everything works.
func Smoke() Scale {
	return Scale{Rounds: 1, Packets: 2000, Lasts: 50 * time.Millisecond, Allocations: 50, Pings: 20}
}
