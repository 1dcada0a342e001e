// Package local is how somebody at the endpoint reaches the agent that runs there, whether it reaches its server or not: a socket, and who may use it.
package local

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// SocketName is what the socket is called where no other place is configured.
const SocketName = "agent.sock"

// MaxPath is how long the path of a socket may be, in bytes: what sun_path of macOS has room for.
const MaxPath = 103

const (
	within    = 5 * time.Second // a request, from the first byte to the last of the answer
	maxHeader = 8 << 10
	maxAnswer = 1 << 20
)

// Session is a remote session that runs.
type Session struct {
	ID         string    `json:"id"`
	Technician string    `json:"technician"` // name
	Why        string    `json:"why,omitempty"`
	Kinds      []string  `json:"kinds"`
	Began      time.Time `json:"began"`
	Expires    time.Time `json:"expires"`
	Accepted   bool      `json:"accepted"` // false: the user is being asked
}

// Agent is what the socket leads to. Its methods may be called concurrently.
type Agent interface {
	// LocalSessions returns the remote sessions that run.
	LocalSessions() []Session
	// EndRemoteSession ends one as a user wants it, who is known by a name or a number; false: there is none.
	EndRemoteSession(id, user string) bool
}

// ErrUnknown says that no such session runs.
var ErrUnknown = errors.New("no such session runs")

// Place returns where the socket of an agent is: as configured, or else where the directory of its state says. Other users cannot enter that, so the socket of an agent of the system, whose state is
// in /var/lib/NAME (as systemd makes it) or /etc/NAME/state (as enroll does), is in the directory NAME of what is running; that of any other agent stays with its state.
func Place(configured, stateDir string) string {
	if configured != "" {
		return configured
	}
	if name := systemName(filepath.Clean(stateDir)); name != "" && runningDir != "" {
		return filepath.Join(runningDir, name, SocketName)
	}
	return filepath.Join(stateDir, SocketName)
}

// systemName returns NAME of a directory of a system's agent; empty: it is none.
func systemName(dir string) string {
	parent, name := filepath.Split(dir)
	if filepath.Clean(parent) == "/var/lib" {
		return name
	}
	if parent, name = filepath.Split(filepath.Dir(dir)); filepath.Base(dir) == "state" && filepath.Clean(parent) == "/etc" {
		return name
	}
	return ""
}

// CheckPath returns what is wrong with a path that is configured for a socket.
func CheckPath(path string) error {
	switch {
	case !filepath.IsAbs(path) || strings.ContainsRune(path, 0):
		return fmt.Errorf("%q is no absolute path", path)
	case len(path) > MaxPath:
		return fmt.Errorf("has %d bytes; the path of a socket has %d at most", len(path), MaxPath)
	}
	return nil
}
