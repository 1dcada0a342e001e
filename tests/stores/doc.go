// Package stores measures the store beside PostgreSQL: the same pushes, acknowledgements and reads, in turns on one disk of one machine.
package stores

import "time"

// Target is the make target whose report stands in docs/BENCHMARKS.md.
const Target = "bench-store"

// The two sides, as the table names them.
const (
	Ours   = "Signalbox"
	Theirs = "PostgreSQL"
)

// Scale says how much is measured.
type Scale struct {
	Rounds    int           // how often both sides take their turn
	Endpoints int           // among whom pushes are spread
	Callers   []int         // that push at the same time, each waiting for its push to be durable
	Lasts     time.Duration // of one measurement of pushes or reads; a tenth of it goes before and is not counted
	Readers   []int         // that read what waits for an endpoint at the same time
	Waiting   int           // endpoints for whom something waits when reads are measured
	Each      int           // pushes that wait for each of them
	Acks      int           // acknowledgements of one measurement

	Grown  int           // pushes accepted and acknowledged to see what a database grows to
	Again  int           // pushes after the finished ones were deleted
	Within time.Duration // how long either may take; what was reached by then counts
}

// Full is the load of docs/BENCHMARKS.md.
func Full() Scale {
	return Scale{
		Rounds: 3, Endpoints: 20_000, Callers: []int{1, 64, 256, 1024}, Lasts: 4 * time.Second, Readers: []int{1, 64}, Waiting: 2000, Each: 10, Acks: 30_000,
		Grown: 1_000_000, Again: 200_000, Within: 6 * time.Minute,
	}
}

// Smoke is just enough to see that everything works.
func Smoke() Scale {
	return Scale{
		Rounds: 1, Endpoints: 50, Callers: []int{1, 64, 256, 1024}, Lasts: 50 * time.Millisecond, Readers: []int{1, 64}, Waiting: 10, Each: 3, Acks: 100,
		Grown: 300, Again: 100, Within: time.Minute,
	}
}
