// Package local is how somebody at the endpoint reaches the agent that runs there, whether it reaches its server or not: a socket in its state directory.
package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// SocketName is the socket in the state directory. Whoever may open it may do what stands here; the directory is the agent's own.
const SocketName = "agent.sock"

const (
	within    = 5 * time.Second
	maxHeader = 8 << 10
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

// Agent is what the socket leads to.
type Agent interface {
	// LocalSessions returns the remote sessions that run.
	LocalSessions() []Session
	// EndRemoteSession ends one as the user wants it; false: there is none.
	EndRemoteSession(id string) bool
}

// Serve answers on the socket until ctx is done, and removes it.
func Serve(ctx context.Context, stateDir string, a Agent) error {
	path := filepath.Join(stateDir, SocketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // an agent that was killed leaves it; the journal's lock says that there is no other
		return fmt.Errorf("remove the socket of the last run: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("open the agent's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("close the agent's socket to others: %w", err), l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sessions", func(w http.ResponseWriter, _ *http.Request) {
		all := a.LocalSessions()
		if all == nil {
			all = []Session{}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(all) // who asked may be gone
	})
	mux.HandleFunc("DELETE /sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !a.EndRemoteSession(r.PathValue("id")) {
			http.Error(w, "no such session runs", http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	srv := &http.Server{Handler: mux, ReadTimeout: within, WriteTimeout: within, MaxHeaderBytes: maxHeader}
	stopped := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stopped()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the agent's socket: %w", err)
	}
	return nil
}

// ErrUnknown says that no such session runs.
var ErrUnknown = errors.New("no such session runs")

// Sessions asks the agent that runs with a state directory for its remote sessions.
func Sessions(ctx context.Context, stateDir string) (all []Session, err error) {
	err = do(ctx, stateDir, http.MethodGet, "/sessions", func(r io.Reader) error { return json.NewDecoder(io.LimitReader(r, 1<<20)).Decode(&all) })
	return all, err
}

// End ends one. Errors: ErrUnknown, that no agent runs.
func End(ctx context.Context, stateDir, id string) error {
	return do(ctx, stateDir, http.MethodDelete, "/sessions/"+url.PathEscape(id), func(io.Reader) error { return nil })
}

func do(ctx context.Context, stateDir, method, path string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(stateDir, SocketName))
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, http.NoBody) // path is escaped
	if err != nil {
		return ErrUnknown // an id that is no part of a URL
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("reach the agent that runs with %s: %w", stateDir, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNoContent:
		return read(resp.Body)
	case http.StatusNotFound:
		return ErrUnknown
	}
	return fmt.Errorf("the agent answers %s", resp.Status)
}
