package agent

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime returns when this machine was started.
func bootTime(now time.Time) (time.Time, error) {
	var si unix.Sysinfo_t
	if err := unix.Sysinfo(&si); err != nil {
		return time.Time{}, err
	}
	return now.Add(-time.Duration(si.Uptime) * time.Second), nil
}
