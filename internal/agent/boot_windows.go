package agent

import (
	"time"

	"golang.org/x/sys/windows"
)

// bootTime returns when this machine was started.
func bootTime(now time.Time) (time.Time, error) {
	return now.Add(-windows.DurationSinceBoot()), nil
}
