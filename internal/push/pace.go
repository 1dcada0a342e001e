package push

import (
	sched "runtime/metrics"
	"time"
)

const (
	postedFor    = time.Second // a posted push makes others small, and patient, for so long
	paceStanding = 16          // goroutines that may stand in line when a chunk is handed out
	paceLook     = time.Millisecond
	paceLooks    = 100 // at most: on a machine that others keep busy, or whose disk stands still, a fan-out goes on all the same
)

// besideOthers reports whether pushes for one endpoint are posted at the moment.
func (s *Service) besideOthers() bool {
	return time.Since(time.UnixMicro(s.posted.Load())) < postedFor
}

// atOnce returns how many of at most so many one transaction shall write.
func (s *Service) atOnce(most int) int {
	if s.besideOthers() {
		return min(most, smallChunk)
	}
	return most
}

// leaveDisk waits between two chunks, if others post pushes, for as long as the last one took: as long the disk is theirs.
func (s *Service) leaveDisk(took time.Duration) {
	if s.besideOthers() {
		time.Sleep(min(took, paceLooks*paceLook))
	}
}

// pace waits until those whom earlier chunks woke have run, if others post pushes: the scheduler has one line for all, and each step of theirs begins at its end.
func (s *Service) pace() {
	for look := 0; look < paceLooks && s.besideOthers() && s.standing() > paceStanding; look++ {
		time.Sleep(paceLook)
	}
}

// standing returns how many goroutines could run and wait for a processor.
func standing() uint64 {
	sample := []sched.Sample{{Name: "/sched/goroutines/runnable:goroutines"}}
	sched.Read(sample)
	return sample[0].Value.Uint64()
}
