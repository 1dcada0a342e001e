package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

// Options is what Serve needs.
type Options struct {
	Path  string // of the socket
	Agent Agent
	// Present returns the numbers of the users who are at this computer, beside root and the agent's own user. It returns within seconds.
	Present func(context.Context) ([]uint32, error)
	Log     *zap.Logger
}

// Serve answers on the socket until ctx is done, and removes it. No other agent may use the same state meanwhile.
func Serve(ctx context.Context, o Options) error {
	l, err := listen(o.Path)
	if err != nil {
		return fmt.Errorf("open the agent's socket: %w", err)
	}
	srv := &http.Server{
		Handler: handler(o.Agent), ReadTimeout: within, WriteTimeout: within, MaxHeaderBytes: maxHeader,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, guestKey{}, c) },
	}
	srv.SetKeepAlivesEnabled(false) // whether somebody may is asked each time
	stopped := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stopped()
	if err := srv.Serve(newDoor(ctx, l, o.Present, o.Log)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the agent's socket: %w", err)
	}
	return nil
}

// guestKey is where the context of a request has its guest.
type guestKey struct{}

// handler answers guests who may.
func handler(a Agent) http.Handler {
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
		g, _ := r.Context().Value(guestKey{}).(*guest)
		if !a.EndRemoteSession(r.PathValue("id"), userName(g.uid)) {
			http.Error(w, ErrUnknown.Error(), http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// listen opens the socket for everybody: who may is decided by who it is.
func listen(path string) (net.Listener, error) {
	if len(path) > MaxPath {
		return nil, fmt.Errorf("%s has %d bytes, and the path of a socket has %d at most: set local_socket to a shorter one", path, len(path), MaxPath)
	}
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("%w: set local_socket to a place that the agent's user can make, or have its directory made before (RuntimeDirectory= of systemd)", err)
	}
	if err := clear(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// makeDir makes a directory that all users can enter, whatever the umask, and leaves one that is there as it is.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// clear removes the socket of an agent that was killed. One that answers, and what is no socket, is not ours to remove.
func clear(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is no socket: set local_socket to another place", path)
	}
	if c, err := net.DialTimeout("unix", path, within); err == nil {
		_ = c.Close() // nothing was said
		return fmt.Errorf("another agent answers at %s: set local_socket of one of them to another place", path)
	}
	return os.Remove(path)
}
