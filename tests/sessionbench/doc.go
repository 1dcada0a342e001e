// Package sessionbench measures remote sessions: how soon a terminal is there, how fast files go through the relay, and what a stalled reader costs the server. Server, agent and
// technician's viewer are processes of their own, and so is the browser of a technician who uses the console.
package sessionbench

// Target is the make target whose report stands in docs/BENCHMARKS.md.
const Target = "bench-session"

// Ours is the column of the table.
const Ours = "Signalbox"

// domain is a name that everybody on the machine finds.
const domain = "localhost"

// Scale says how much is measured.
type Scale struct {
	Rounds    int // of everything
	Terminals int // of each kind in a round
	Clicks    int // of each kind in a round
	MiB       int // of a file
	Stalled   int // channels whose reader stalls, at the same time; 16 at most
}

// Full is the load of docs/BENCHMARKS.md.
func Full() Scale { return Scale{Rounds: 5, Terminals: 10, Clicks: 5, MiB: 1024, Stalled: 8} }

// Smoke is just enough to see that everything works.
func Smoke() Scale { return Scale{Rounds: 1, Terminals: 1, Clicks: 1, MiB: 4, Stalled: 1} }
