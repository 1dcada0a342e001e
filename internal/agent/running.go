package agent

import (
	"errors"
	"io/fs"
	"path/filepath"

	"signalbox/internal/agent/status"
)

// ReadStatus returns what the agent of a state directory says of itself, with Running set if one uses the directory now. The error is fs.ErrNotExist if none ever has.
func ReadStatus(dir string) (status.Status, error) {
	s, err := status.Read(dir)
	if err != nil {
		return status.Status{}, err
	}
	s.Running, err = Running(dir)
	return s, err
}

// Running reports whether an agent uses the state directory.
func Running(dir string) (bool, error) {
	taken, err := locked(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return taken, err
}
