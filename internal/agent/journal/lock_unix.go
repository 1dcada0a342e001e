//go:build unix

package journal

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockPatience is how long a lock may outlive the process that had it: a handler's program that was being started when the agent was killed holds
	// a copy of every open file until it runs.
	lockPatience = 2 * time.Second
	lockInterval = 20 * time.Millisecond
)

// lockFile takes the file for this process alone, until it is closed or the process ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(lockPatience)
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return f, nil
		case !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end):
			return nil, errors.Join(err, f.Close())
		}
		time.Sleep(lockInterval)
	}
}

// locked reports whether a process holds the file's lock. It takes a shared one for a moment, which an agent that starts waits out.
func locked(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	taken := errors.Is(err, unix.EWOULDBLOCK)
	if taken {
		err = nil
	}
	return taken, errors.Join(err, f.Close())
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
