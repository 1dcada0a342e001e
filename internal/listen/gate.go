package listen

import "runtime"

// gate bounds how many handshakes compute at the same time, while any number of them waits for its peer. Without it a storm of
// handshakes stands between the scheduler and every session that only wants to answer a ping.
type gate chan struct{}

// newGate lets twice as many in as can run, so that no processor is idle while one of them writes.
func newGate() gate { return make(gate, 2*runtime.GOMAXPROCS(0)) }

// enter waits for a place; nobody keeps one for longer than a few milliseconds of computing.
func (g gate) enter() { g <- struct{}{} }

func (g gate) leave() { <-g }
