package agent

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime returns when this machine was started.
func bootTime(time.Time) (time.Time, error) {
	tv, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(tv.Unix()), nil
}
