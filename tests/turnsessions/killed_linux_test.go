package turnsessions

import (
	"syscall"
	"testing"

	"signalbox/tests/harness"
)

// TestTURNProcessIsKilled: its sessions go on in the next one, with the credentials that were handed out, and what the old one had moved counts.
func TestTURNProcessIsKilled(t *testing.T) {
	s := harness.StartTURN(t)
	made, a, b, relayedB := pair(t, s)
	must(t, a.Send(relayedB, []byte("hello")))
	_, err := b.Receive()
	must(t, err)
	awaitBytes(t, s, made.ID, 5) // counted before the end
	old := harness.TURNPid(t)
	must(t, syscall.Kill(old, syscall.SIGKILL))
	harness.Await(t, func() bool { return harness.TURNPid(t) != old }, func() string { return "the TURN process is not started again" })
	a = join(t, s, made.Sides.A)
	harness.Await(t, func() bool { // it listens before it has heard of all sessions
		_, err = a.Allocate()
		return err == nil
	}, func() string { return "the session is not served by the next process: " + err.Error() })
	c := shown(t, s, made.ID).Counters
	if c.Allocations != 3 || c.OpenAllocations != 1 || c.BytesUp != 5 {
		t.Errorf("counters = %+v, want those of both processes", c)
	}
}
