package app

import (
	"errors"
	"fmt"

	"signalbox/internal/datadir"
)

// lockData takes data_dir for this server, and looks whether what is in it is whole.
func lockData(dir string) (*datadir.Lock, error) {
	lock, err := datadir.Acquire(dir)
	if err != nil {
		return nil, err
	}
	if err := datadir.CheckWhole(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrConfig, err), lock.Release())
	}
	_ = lock.Announce() // on a full disk; then "signalbox reload" does not find this server, and all else works
	return lock, nil
}
