package agent

import (
	"encoding/json"
	"os"
	"time"
)

// readyFile is the path of a file that exists while the agent is online, for supervisors and tests. The empty path means none.
type readyFile string

func (f readyFile) write(jid, remote string, now time.Time) error {
	if f == "" {
		return nil
	}
	text, err := json.Marshal(map[string]any{"jid": jid, "remote": remote, "at": now.UTC(), "pid": os.Getpid()})
	if err != nil {
		return err
	}
	tmp := string(f) + ".new" // a reader sees the whole file or none
	if err := os.WriteFile(tmp, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, string(f))
}

func (f readyFile) remove() {
	if f != "" {
		os.Remove(string(f)) // if it is gone already, so much the better
	}
}
