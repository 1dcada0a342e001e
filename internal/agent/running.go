package agent

import (
	"signalbox/internal/agent/journal"
	"signalbox/internal/agent/status"
)

// ReadStatus returns what the agent of a state directory says of itself, with Running set if one uses the directory now. The error is fs.ErrNotExist if none ever has.
func ReadStatus(dir string) (status.Status, error) {
	s, err := status.Read(dir)
	if err != nil {
		return status.Status{}, err
	}
	s.Running, err = journal.Taken(dir)
	return s, err
}
