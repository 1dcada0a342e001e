package turnsessions

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"signalbox/tests/harness"
)

// turnProcess returns the id of the TURN process of a server of this test.
func turnProcess(t *testing.T) (pid int) {
	t.Helper()
	harness.Await(t, func() bool {
		files, err := filepath.Glob("/proc/[0-9]*/stat")
		must(t, err)
		for _, file := range files {
			stat, _ := os.ReadFile(file) // it may have ended since
			_, rest, _ := strings.Cut(string(stat), ") ")
			fields := strings.Fields(rest)
			args, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && strings.Contains(string(args), harness.TURNProcess) {
				pid, err = strconv.Atoi(filepath.Base(filepath.Dir(file)))
				must(t, err)
				return true
			}
		}
		return false
	}, func() string { return "there is no TURN process" })
	return pid
}

// TestTURNProcessIsKilled: its sessions go on in the next one, with the credentials that were handed out, and what the old one had moved counts.
func TestTURNProcessIsKilled(t *testing.T) {
	s := harness.StartTURN(t)
	made, a, b, relayedB := pair(t, s)
	must(t, a.Send(relayedB, []byte("hello")))
	_, err := b.Receive()
	must(t, err)
	awaitBytes(t, s, made.ID, 5) // counted before the end
	old := turnProcess(t)
	must(t, syscall.Kill(old, syscall.SIGKILL))
	harness.Await(t, func() bool { return turnProcess(t) != old }, func() string { return "the TURN process is not started again" })
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
