package remote

import "time"

// What a technician may do in a minute that leaves an entry in the audit each time.
const (
	relaysPerMinute   = 64
	attachesPerMinute = 32
)

// allowance is how often something may be done in a minute.
type allowance struct {
	used  int
	since time.Time
}

// take reports whether it may be done once more.
func (a *allowance) take(now time.Time, most int) bool {
	if now.Sub(a.since) >= time.Minute {
		*a = allowance{since: now}
	}
	a.used++
	return a.used <= most
}
