// Package status is what a running agent says of itself in a file: whether it is online and through what, why not, and what waits.
package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/path"
)

// Name is the file's name in the agent's state directory.
const Name = "status.json"

// Bounds of the file.
const (
	maxBytes    = 64 << 10 // that are read
	MaxAttempts = 16       // that are kept
	maxHandlers = 100      // whose names are listed
)

// State says what the agent is doing.
type State string

// The states. An agent that was killed leaves the last one: whether it runs is told by the lock of its state directory.
const (
	Connecting State = "connecting" // an attempt is under way
	Online     State = "online"
	Offline    State = "offline" // it waits for the next attempt
	Stopped    State = "stopped"
)

// Status is the content of the file. It holds no secrets. Fields that are missing are not known.
type Status struct {
	Running     bool         `json:"running"` // set by who reads it
	PID         int          `json:"pid"`
	Version     string       `json:"version"`
	Endpoint    string       `json:"endpoint"` // bare JID
	Started     time.Time    `json:"started"`
	Updated     time.Time    `json:"updated"`
	State       State        `json:"state"`
	Since       time.Time    `json:"since"` // of the state; an agent that tries again and again is offline or connecting since it was online
	Through     *Through     `json:"through,omitempty"`
	LastOnline  *time.Time   `json:"last_online,omitempty"` // when the newest session began or ended
	LastFailure *Failure     `json:"last_failure,omitempty"`
	NextAttempt *time.Time   `json:"next_attempt,omitempty"`
	Attempts    []Attempt    `json:"attempts"`       // newest last
	Ways        []path.Known `json:"ways,omitempty"` // that worked, by network, newest last
	Pushes      Pushes       `json:"pushes"`
	Handlers    []string     `json:"handlers"` // push types that have one, some at most
}

// Through is the way of the newest session.
type Through struct {
	JID         string `json:"jid"` // with the resource
	Address     string `json:"address"`
	Direct      bool   `json:"direct_tls"`
	WebSocket   bool   `json:"websocket,omitempty"`
	Proven      bool   `json:"server_proven"`         // the server has proven its identity key on this connection
	Intercepted bool   `json:"intercepted,omitempty"` // something on the way opens TLS, and policy lets it
	Via         string `json:"via"`                   // "direct", or the proxy
	Remote      string `json:"remote"`
	TLS         string `json:"tls"`
	Keepalive   string `json:"keepalive"`         // how often the server is asked for a sign of life
	Learned     bool   `json:"keepalive_learned"` // more often than configured, because this way cuts what is silent
	Resumed     bool   `json:"resumed"`           // it goes on with an older session
}

// Failure is why the agent went offline or did not get online.
type Failure struct {
	At     time.Time `json:"at"`
	Route  string    `json:"route,omitempty"`
	Detail string    `json:"detail,omitempty"`
	ladder.Reason
}

// Attempt is one try on one way.
type Attempt struct {
	At      time.Time   `json:"at"`
	Route   string      `json:"route"`
	Reached ladder.Step `json:"reached,omitempty"` // the highest step that succeeded
	Code    string      `json:"code,omitempty"`    // why not higher; empty: it led to a session
	TookMS  int64       `json:"took_ms"`
}

// Pushes counts what the journal holds.
type Pushes struct {
	Waiting int `json:"waiting"` // for their handlers, or with them
	Running int `json:"running"` // handlers
	Results int `json:"results"` // that the server has not for good
}

// Note adds an attempt and drops the oldest beyond MaxAttempts.
func (s *Status) Note(a Attempt) {
	s.Attempts = append(s.Attempts, a)
	if n := len(s.Attempts) - MaxAttempts; n > 0 {
		s.Attempts = slices.Clone(s.Attempts[n:])
	}
}

// Write replaces the file in dir: a reader sees the old one or the new one.
func Write(dir string, s Status) error {
	s.Handlers = s.Handlers[:min(len(s.Handlers), maxHandlers)]
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, Name)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Read reads the file in dir. The error is fs.ErrNotExist if no agent has run there.
func Read(dir string) (Status, error) {
	f, err := os.Open(filepath.Join(dir, Name))
	if err != nil {
		return Status{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return Status{}, err
	}
	var s Status
	if len(text) > maxBytes {
		return Status{}, fmt.Errorf("%s is larger than %d bytes", f.Name(), maxBytes)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return Status{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return s, nil
}
