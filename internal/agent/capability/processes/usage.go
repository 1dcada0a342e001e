package processes

import (
	"math"
	"sync"
	"time"
)

// usage counts what processes use of processors from list to list of a session. Several channels of a session share it, so a list of one is the beginning for the others.
type usage struct {
	mu   sync.Mutex
	last map[int]seen
}

// count sets the CPU of each: percent of one core since it was seen last, or since it was started.
func (u *usage) count(all []seen) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := make(map[int]seen, len(all))
	for n := range all {
		p := &all[n]
		since, used := p.Started, p.used
		if was, ok := u.last[p.PID]; ok && was.Started.Equal(p.Started) {
			since, used = was.at, p.used-was.used
		}
		p.CPU = percent(used, p.at.Sub(since))
		now[p.PID] = *p
	}
	u.last = now
}

// percent is a share in tenths of a percent; 0 where it makes no sense.
func percent(used, passed time.Duration) float64 {
	if used <= 0 || passed <= 0 {
		return 0
	}
	return math.Round(1000*float64(used)/float64(passed)) / 10
}
